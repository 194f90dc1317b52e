#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace decodesim {

/// One line of nccl-tests.
struct NcclTestsRow {
  double bytes = 0;
  std::string type;
  double time_us = 0; ///< out of place
  int line = 0;
};

/// What a program of nccl-tests printed.
struct NcclTestsOutput {
  std::string collective; ///< "all_reduce", "all_gather", "reduce_scatter", "broadcast", ...
  std::string device;     ///< of the first rank; empty when the header does not say
  int ranks = 0;
  int nodes = 1; ///< distinct host names in the header
  int gpus_per_process = 1;
  std::vector<NcclTestsRow> rows;
};

/// Whether the text looks like it.
[[nodiscard]] bool is_nccl_tests_output(const std::string& text);

/// Reads the output of all_reduce_perf and its relatives, comments included: ranks, hosts and
/// devices from the lines "#  Rank  0 ... on HOST device 0 [...] NAME", the collective from the
/// line that names the test or else from the ratio of bus to algorithm bandwidth.
/// @param where  names the text in messages
/// @throws InputError naming the line: no results, no ranks, a line with too few columns
[[nodiscard]] NcclTestsOutput read_nccl_tests_output(const std::string& text,
                                                     const std::string& where);

} // namespace decodesim
