#include "validation/nccl_tests_output.hpp"

#include "sim/error.hpp"

#include <array>
#include <cmath>
#include <regex>
#include <set>
#include <sstream>

namespace decodesim {

namespace {

std::vector<std::string> words_of(const std::string& line) {
  std::istringstream stream{line};
  std::vector<std::string> words;
  for (std::string word; stream >> word;) {
    words.push_back(word);
  }
  return words;
}

bool is_number(const std::string& word) {
  return !word.empty() && word.find_first_not_of("0123456789.eE+-") == std::string::npos;
}

/// Bus over algorithm bandwidth: 2 (n-1)/n for an all-reduce, (n-1)/n for what gathers or scatters.
std::string collective_of(double ratio, const std::string& redop, int ranks) {
  const double part = (ranks - 1.0) / ranks;
  if (ranks == 2 ? redop != "none" && std::abs(ratio - 1.0) < 0.05
                 : std::abs(ratio - 2.0 * part) < 0.05) {
    return "all_reduce";
  }
  if (std::abs(ratio - part) < 0.05) {
    return redop == "none" ? "all_gather" : "reduce_scatter";
  }
  return "broadcast";
}

/// The last of "all_reduce_perf" and its relatives that a line names.
std::string collective_named(const std::string& line) {
  static const std::regex program{R"((\w+)_perf\b)"};
  std::smatch match;
  return std::regex_search(line, match, program) ? match[1].str() : std::string{};
}

} // namespace

bool is_nccl_tests_output(const std::string& text) {
  return text.find("algbw") != std::string::npos && text.find("busbw") != std::string::npos &&
         text.find('#') != std::string::npos && text.find(",algbw") == std::string::npos;
}

NcclTestsOutput read_nccl_tests_output(const std::string& text, const std::string& where) {
  static const std::regex rank_line{
      R"(Rank\s+\d+.*\son\s+(\S+)\s+device\s+\S+\s+\[[^\]]*\]\s*(.*\S)\s*$)"};
  static const std::regex gpus_line{R"(nGpus\s+(\d+))"};
  NcclTestsOutput output;
  std::set<std::string> hosts;
  std::istringstream stream{text};
  int number = 0;
  for (std::string line; std::getline(stream, line);) {
    ++number;
    std::smatch match;
    if (std::regex_search(line, match, rank_line)) {
      ++output.ranks;
      hosts.insert(match[1].str());
      output.device = output.device.empty() ? match[2].str() : output.device;
      continue;
    }
    if (std::regex_search(line, match, gpus_line)) {
      output.gpus_per_process = std::stoi(match[1].str());
    }
    if (auto name = collective_named(line); !name.empty() && output.rows.empty()) {
      output.collective = name;
    }
    const auto words = words_of(line);
    if (words.size() < 6 || !is_number(words[0]) || !is_number(words[1])) {
      continue;
    }
    // size count type redop root time algbw busbw ...; versions before 2.11 have no root.
    std::size_t time = 5;
    if (words.size() > 4 && !is_number(words[2]) && words[4].find('.') != std::string::npos) {
      time = 4;
    }
    if (words.size() < time + 3 || !is_number(words[time]) || !is_number(words[time + 2])) {
      throw InputError::at(where + ":" + std::to_string(number),
                           "has no time, algbw and busbw",
                           "lines as nccl-tests prints them are expected");
    }
    output.rows.push_back({.bytes = std::stod(words[0]),
                           .type = words[2],
                           .time_us = std::stod(words[time]),
                           .line = number});
    const double algorithm = std::stod(words[time + 1]);
    if (output.collective.empty() && output.ranks > 1 && algorithm >= 1.0) {
      output.collective =
          collective_of(std::stod(words[time + 2]) / algorithm, words[3], output.ranks);
    }
  }
  if (output.rows.empty()) {
    throw InputError::at(where, "has no results", "lines as nccl-tests prints them are expected");
  }
  if (output.ranks == 0) {
    throw InputError::at(where,
                         "names no ranks",
                         "the header of nccl-tests is expected (\"#  Rank  0 ... on HOST\")");
  }
  output.nodes = static_cast<int>(hosts.size());
  if (output.collective.empty()) {
    output.collective = "all_reduce";
  }
  return output;
}

} // namespace decodesim
