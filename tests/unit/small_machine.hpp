#pragma once

#include <string>

namespace decodesim {

/// Two GPUs on one PCIe switch, a NIC beside them; 10 GB/s and 1 us a link everywhere, to do sums
/// in the head.
inline const std::string small_machine = R"({
  "format_version": 1,
  "name": "small",
  "summary": "two GPUs on a switch",
  "source": "made up for tests",
  "gpu": "a100-pcie-40g",
  "nodes": [
    {"id": ["gpu0", "gpu1"], "kind": "gpu"},
    {"id": "switch", "kind": "pcie_switch"},
    {"id": "nic0", "kind": "nic"}
  ],
  "link_types": {
    "pcie": {
      "kind": "pcie",
      "bandwidth": {"value": 10, "unit": "GB/s", "kind": "assumed", "source": "round"},
      "latency": {"value": 1, "unit": "us", "kind": "assumed", "source": "round too"}
    },
    "ib": {
      "kind": "network",
      "bandwidth": {"value": 40, "unit": "Gbit/s", "kind": "datasheet", "source": "a cable"},
      "latency": {"value": 2, "unit": "us", "kind": "datasheet", "source": "the cable"}
    }
  },
  "links": [
    {"from": ["gpu0", "gpu1"], "to": "switch", "type": "pcie"},
    {"from": "nic0", "to": "switch", "type": "pcie"}
  ],
  "transports": {
    "pcie": {
      "base": {"value": 4, "unit": "us", "kind": "published", "source": "a paper"},
      "hop": {"value": 0, "unit": "us", "kind": "published", "source": "a paper"},
      "bandwidth": {"value": 8, "unit": "GB/s", "kind": "published", "source": "a paper"}
    },
    "network": {
      "base": {"value": 6, "unit": "us", "kind": "published", "source": "a paper"},
      "hop": {"value": 0.5, "unit": "us", "kind": "published", "source": "a paper"},
      "bandwidth": {"value": 4, "unit": "GB/s", "kind": "published", "source": "a paper"}
    }
  },
  "network_link": "ib"
})";

/// `count` GPUs, the even ones on one PCIe switch and the odd ones on another, joined by one link;
/// numbers as above.
inline std::string interleaved_machine(int count) {
  std::string all;
  std::string even;
  std::string odd;
  for (int i = 0; i < count; ++i) {
    const auto id = "\"gpu" + std::to_string(i) + "\"";
    all += (all.empty() ? "" : ", ") + id;
    auto& side = i % 2 == 0 ? even : odd;
    side += (side.empty() ? "" : ", ") + id;
  }
  auto text = small_machine;
  const auto replace = [&text](const std::string& from, const std::string& to) {
    text.replace(text.find(from), from.size(), to);
  };
  replace("\"id\": [\"gpu0\", \"gpu1\"]", "\"id\": [" + all + "]");
  replace("{\"id\": \"switch\"", "{\"id\": [\"switch\", \"other\"]");
  replace("{\"from\": [\"gpu0\", \"gpu1\"], \"to\": \"switch\", \"type\": \"pcie\"}",
          "{\"from\": [" + even + "], \"to\": \"switch\", \"type\": \"pcie\"}, {\"from\": [" + odd +
              ", \"switch\"], \"to\": \"other\", \"type\": \"pcie\"}");
  return text;
}

} // namespace decodesim
