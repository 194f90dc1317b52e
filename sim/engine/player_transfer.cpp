#include "sim/engine/player.hpp"

#include <algorithm>
#include <queue>

namespace sg4 = simgrid::s4u;

namespace decodesim {

namespace {

/// SimGrid neither sleeps nor waits for less.
constexpr double clock_resolution = 1e-12;

} // namespace

double
Player::transfer(const PreparedTransfer& transfer, const std::vector<Arrival>& parties, Part part) {
  double start = 0;
  bool overlapping = false;
  for (const auto& party : parties) {
    start = std::max(start, party.ready);
    overlapping = overlapping || party.stream->rank->overlaps;
  }
  if (overlapping) {
    sleep_until(start);
    for (const auto& party : parties) {
      if (auto& rank = *party.stream->rank; rank.overlaps) {
        rank.clock.change(start, party.meanwhile, -1);
        rank.clock.change(start, SpanKind::transfer, +1);
      }
    }
  }
  double first_latency = transfer.pieces.empty() ? 0.0 : transfer.pieces.front().latency_s;
  for (const auto& piece : transfer.pieces) {
    first_latency = piece.after == 0 ? std::min(first_latency, piece.latency_s) : first_latency;
  }
  sleep_until(start + first_latency);
  if (overlapping) {
    for (const auto& party : parties) {
      auto& rank = *party.stream->rank;
      ++rank.transfers;
      if (rank.kernel_asleep) {
        rank.kernel_asleep = false;
        rank.interrupt->release();
      }
    }
  }
  if (transfer.pieces.size() == 1) {
    const double moving_from = clock();
    const auto& piece = transfer.pieces.front();
    platform_.transfer(piece.route, piece.bytes);
    account(piece, moving_from, clock(), part);
  } else {
    move(transfer, start, part);
  }
  const double end = clock();
  for (const auto& party : parties) {
    auto& rank = *party.stream->rank;
    if (overlapping) {
      --rank.transfers;
    }
    if (rank.overlaps) {
      rank.clock.change(end, SpanKind::transfer, -1);
    } else {
      rank.clock.add(party.meanwhile, start - party.at);
      rank.clock.add(SpanKind::transfer, end - start);
    }
    // A receive waits on its own stream; the bubble is on the stream that computes.
    const bool elsewhere = rank.overlaps && party.meanwhile == SpanKind::bubble;
    record_span(*party.stream, elsewhere ? SpanKind::waiting : party.meanwhile, party.at, start);
    record_span(*party.stream, SpanKind::transfer, start, end);
  }
  return end;
}

/// Starts every piece when those before it are through and its latency is over.
void Player::move(const PreparedTransfer& transfer, double start, Part part) {
  using Due = std::pair<double, int>; // instant, piece
  std::priority_queue<Due, std::vector<Due>, std::greater<>> due;
  std::vector<int> missing;
  for (std::size_t i = 0; i < transfer.pieces.size(); ++i) {
    const auto& piece = transfer.pieces[i];
    missing.push_back(piece.after);
    if (piece.after == 0) {
      due.emplace(start + piece.latency_s, static_cast<int>(i));
    }
  }

  struct Moving {
    const PreparedPiece* piece;
    double start;
  };

  std::vector<Moving> moving;
  std::vector<sg4::CommPtr> flows; // in the order of `moving`
  while (!due.empty() || !moving.empty()) {
    while (!due.empty() && due.top().first - clock() <= clock_resolution) {
      const auto& piece = transfer.pieces[static_cast<std::size_t>(due.top().second)];
      due.pop();
      moving.push_back({&piece, clock()});
      flows.push_back(platform_.start(piece.route, piece.bytes));
    }
    if (moving.empty()) {
      sleep_until(due.top().first);
      continue;
    }
    const auto done = due.empty() ? sg4::Comm::wait_any(flows)
                                  : sg4::Comm::wait_any_for(flows, due.top().first - clock());
    if (done < 0) {
      continue; // the next piece is due
    }
    const auto at = static_cast<std::ptrdiff_t>(done);
    const auto [piece, began] = moving[static_cast<std::size_t>(done)];
    moving.erase(moving.begin() + at);
    flows.erase(flows.begin() + at);
    account(*piece, began, clock(), part);
    for (const int next : piece->next) {
      if (--missing[static_cast<std::size_t>(next)] == 0) {
        due.emplace(clock() + transfer.pieces[static_cast<std::size_t>(next)].latency_s, next);
      }
    }
  }
}

void Player::account(const PreparedPiece& piece, double start, double end, Part part) {
  if (part == Part::body) {
    auto& use = decode_use_[static_cast<std::size_t>(piece.id)];
    use.links = piece.links;
    use.bytes += piece.bytes.value();
  }
  if (options_.record_timeline) {
    piece_records_.push_back(
        {.links = piece.links, .bytes = piece.bytes, .start = start, .end = end});
  }
}

} // namespace decodesim
