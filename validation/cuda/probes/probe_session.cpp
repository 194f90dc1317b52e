#include "validation/cuda/probes/probe_session.hpp"

#include <chrono>
#include <exception>
#include <utility>

namespace decodesim {

namespace {

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

} // namespace

ProbeSession::ProbeSession(std::string probe,
                           const Limits& limits,
                           std::function<void(ProbeResult)> report)
    : probe_{std::move(probe)}, limits_{limits}, report_{std::move(report)}, start_{now()} {}

void ProbeSession::point(ProbeResult point, const std::function<void(ProbeResult&)>& measure) {
  if (now() - start_ > limits_.seconds) {
    ++left_out_;
    return;
  }
  point.name = probe_;
  try {
    measure(point);
  } catch (const std::exception& problem) {
    point.samples_us.clear();
    point.reason = problem.what();
  }
  report_(std::move(point));
}

void ProbeSession::finish() {
  if (left_out_ > 0) {
    report_({.name = probe_,
             .parameters = {{"points_left_out", left_out_}},
             .reason = "the time limit was reached"});
  }
}

} // namespace decodesim
