#pragma once

#include <vector>

namespace decodesim {

/// Which decode steps are played when steps differ in nothing but their context, and what the
/// others are taken to last.
///
/// Played are windows of consecutive steps at equal distances: the first step is in the first, the
/// last in the last. A kernel lasts fixed + max(flop, bytes) terms that are linear in the context,
/// so the time of a step is piecewise linear in its number, and interpolating between windows is
/// exact but for the pieces in which two windows lie on different sides of a kink.
///
/// A run jumps from one window to the next as if the steps between did not exist. Steps may overlap
/// (in a pipeline), so that the first steps after a jump are still mixed with those before:
/// they settle, and are interpolated too.
class SampledSteps {
public:
  /// All of them.
  explicit SampledSteps(int steps);

  /// @param windows   at least 3
  /// @param settling  steps after a jump that do not count
  /// @param measured  steps after these whose mean stands for the window
  /// All steps when that is not much more than the windows.
  SampledSteps(int steps, int windows, int settling, int measured);

  /// Step numbers, ascending.
  [[nodiscard]] const std::vector<int>& played() const { return played_; }

  [[nodiscard]] int steps() const { return steps_; }

  [[nodiscard]] bool all() const { return static_cast<int>(played_.size()) == steps_; }

  /// Continues a quantity that adds up over the steps.
  /// @param at_played  its value at the end of each played step
  /// @return its value at the end of each step
  [[nodiscard]] std::vector<double> at_all(const std::vector<double>& at_played) const;

  /// Largest relative distance of a window's increment from what the windows on both sides of it
  /// predict. Interpolating between all windows errs by about a quarter of that.
  [[nodiscard]] double worst_prediction(const std::vector<double>& at_played) const;

  /// Standard deviation of the increments of single steps from the mean of their window, relative
  /// to the mean of all.
  [[nodiscard]] double spread(const std::vector<double>& at_played) const;

private:
  /// Steps played in a row, as places in played_.
  struct Window {
    std::size_t first = 0;
    std::size_t counts_from = 0; ///< first step whose increment counts
    std::size_t end = 0;         ///< one past the last
  };

  struct Anchor {
    double step = 0;
    double increment = 0;
  };

  [[nodiscard]] std::vector<Anchor> anchors(const std::vector<double>& at_played) const;

  int steps_ = 0;
  std::size_t measured_ = 0;
  std::vector<int> played_;
  std::vector<Window> windows_;
};

} // namespace decodesim
