// SPDX-License-Identifier: Apache-2.0
#include "proxy/splice_relay.h"

#include <algorithm>

namespace weir::proxy {

using State = SpliceRelay::Progress::State;
using Status = net::IoResult::Status;

namespace {

// One connection's share of a turn, so that a fast pair does not starve the others.
constexpr uint64_t kTurnBytes = 2 << 20;

}  // namespace

SpliceRelay::Progress SpliceRelay::run(net::Socket& source, net::Socket& sink, uint64_t left) {
  Progress progress{State::kDone, 0, 0, 0};
  // What is in the pipe already counts as read: `left` is about the source.
  for (;;) {
    bool moved = false;
    const uint64_t want = std::min<uint64_t>(left - progress.read, pipe_.capacity - held_);
    if (want > 0 && !source_ended_ && source.readable()) {
      const net::IoResult in = source.splice_to_pipe(pipe_.write_end, static_cast<size_t>(want));
      if (in.status == Status::kError)
        return {State::kSourceError, progress.read, progress.written, in.error};
      if (in.status == Status::kEof) source_ended_ = true;
      if (in.status == Status::kOk) {
        held_ += in.bytes;
        progress.read += in.bytes;
        moved = true;
      } else if (in.status == Status::kAgain && held_ == 0) {
        source.clear_readable();
      }
    }
    if (held_ > 0 && sink.writable()) {
      const net::IoResult out = sink.splice_from_pipe(pipe_.read_end, held_, false);
      if (out.status == Status::kError)
        return {State::kSinkError, progress.read, progress.written, out.error};
      if (out.status == Status::kOk) {
        held_ -= out.bytes;
        progress.written += out.bytes;
        moved = true;
      }
    }
    if (held_ == 0 && progress.read == left) return progress;
    if (held_ == 0 && source_ended_)
      progress.state = State::kSourceEnd;
    else if (!moved)
      progress.state = held_ > 0 && !sink.writable() ? State::kWaitSink : State::kWaitSource;
    else if (progress.written >= kTurnBytes)
      progress.state = State::kYield;
    else
      continue;
    return progress;
  }
}

}  // namespace weir::proxy
