#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace decodesim {

/// One row of a case file, its words as written (columns: docs/formats.md).
struct Case {
  std::string id;
  std::string where; ///< "cases.csv:12"
  std::string split; ///< "calibration" or "validation"
  std::string source;
  std::string model;
  std::string params;
  std::string gpu;
  int gpus = 1;
  int nodes = 1;
  std::string interconnect;
  std::string strategy;
  int tp = 1;
  int pp = 1;
  int ep = 1;
  int dp = 1;
  std::string batch;         ///< a number of sequences, or what is known of them
  std::string prompt_tokens; ///< may be empty or inexact ("about 280 (median)")
  std::string output_tokens; ///< likewise; bytes of a collective
  std::string dtype;
  std::string framework;
  std::string metric;
  double value = 0; ///< in `unit`
  std::string unit;
  std::string notes;
  bool clean = true; ///< what was measured is a decode step of a known batch
  std::string why_not_clean;
  std::string problem; ///< what cannot be read in the row; empty otherwise
};

/// Cases of a CSV file with the columns above (prompt_len, output_len_or_ctx, clean = yes|no). A
/// row with a wrong number is a case with a problem.
/// @throws InputError naming the file when it is no table or lacks a column
[[nodiscard]] std::vector<Case> read_cases(const std::filesystem::path& file);

} // namespace decodesim
