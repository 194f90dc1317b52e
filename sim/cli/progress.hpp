#pragma once

#include <map>
#include <string>

namespace decodesim {

/// One line on stderr that says how far each layout is; nothing when stderr is no terminal. The
/// line is removed at the end.
class ProgressLine {
public:
  explicit ProgressLine(int layouts);
  ~ProgressLine();
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;

  void show(const std::string& layout, int step, int steps);

private:
  int layouts_;
  bool terminal_;
  std::map<std::string, int> percent_of_layout_;
  std::string shown_;
};

} // namespace decodesim
