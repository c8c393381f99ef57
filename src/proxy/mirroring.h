// SPDX-License-Identifier: Apache-2.0
// Copies of requests, for a cluster that is tried out (routes[].mirror). A copy is an exchange of
// its own behind a client's side that throws everything away: it is collected beside the request,
// sent once that is whole, at the end of the loop's turn, and never repeated. Nothing of the
// request waits for it, and what fails in it is counted here and nowhere else.
//
//   collecting -> ready -> sent -> finished      drop(): a copy that is not sent; end(): any
//
// Lifetime: a copy is of its worker's pool, from begin() until the end of the turn in which its
// exchange has finished; it outlives the request. One thread: the worker's.
#pragma once

#include <weir/clock.h>
#include <weir/error.h>
#include <weir/message.h>

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/block.h"
#include "base/intrusive_list.h"
#include "net/address.h"
#include "policy/mirror_budget.h"
#include "proxy/stream.h"

namespace weir {
struct MirrorConfig;
}

namespace weir::proxy {

class Exchange;
class MirrorCopy;
class Worker;
class WorkerListener;

/// The copies of one worker.
class Mirroring {
 public:
  /// `budget` is that of the process; null: no request is copied.
  Mirroring(Worker& worker, policy::MirrorBudget* budget);
  Mirroring(const Mirroring&) = delete;
  Mirroring& operator=(const Mirroring&) = delete;

  /// A copy of what `of` sends as `head`, still without a body; null: there is none, and it is
  /// counted why. Requires: a route that copies.
  MirrorCopy* begin(Exchange& of, const RequestHead& head);
  /// All copies end, sent or not. From the loop.
  void end_all(ErrorCode why);
  /// Something is left to the end of this turn.
  bool busy() const { return !ready_.empty() || !finished_.empty(); }
  /// Sends those that are whole, and frees those that have ended.
  void end_turn();
  base::BlockPool& memory() { return memory_; }

 private:
  friend class MirrorCopy;

  std::optional<policy::MirrorDrop> why_not(const RequestHead& head, const MirrorConfig& config);
  bool take_bytes(uint64_t bytes);
  void count(policy::MirrorDrop drop);
  void free(MirrorCopy& copy);

  Worker& worker_;
  policy::MirrorBudget* const budget_;
  base::BlockPool memory_;
  base::IntrusiveList<MirrorCopy> under_way_;
  base::IntrusiveList<MirrorCopy> ready_;
  base::IntrusiveList<MirrorCopy> finished_;
};

class MirrorCopy final : public DownstreamStream, public base::ListLink<> {
 public:
  /// Requires: a place of the budget, and the bytes of a body whose length is known.
  MirrorCopy(Mirroring& by, Exchange& of, const RequestHead& head);

  // ---- From the request, while it comes.
  /// Its body. One that is too long, or more than the budget has, drops the copy.
  void take(std::string_view bytes);
  /// Bytes of its body so far.
  uint64_t size() const { return size_; }
  /// Its end: the copy has nothing more to do with it.
  void complete(const HeaderList& trailers);
  /// Requires: not sent.
  void drop(policy::MirrorDrop why);

  // ---- From the copy's exchange.
  /// How it ended, to be counted.
  void record(bool failed, ErrorCode why);

  // DownstreamStream: nobody is there.
  void send_interim(const ResponseHead&) override {}
  void send_head(const ResponseHead&, bool) override {}
  void send_body(std::string_view) override {}
  void send_end(const HeaderList&) override {}
  void flush() override {}
  bool congested() const override { return false; }
  void pause_body() override {}
  void resume_body() override {}
  void abort() override {}
  net::Socket* raw_sink() override { return nullptr; }
  void await_drain() override {}
  void exchange_finished() override;

 private:
  friend class Mirroring;
  enum class State : uint8_t { kCollecting, kReady, kSent, kFinished };

  void send();
  void end(ErrorCode why);

  Mirroring& by_;
  Exchange* of_;  ///< While collecting.
  WorkerListener& listener_;
  const net::Peer peer_;  ///< Of the request's client, who may leave.
  const uint64_t max_body_;
  const Duration timeout_;
  Exchange* exchange_;
  uint64_t size_ = 0;      ///< Of the body, so far.
  uint64_t reserved_ = 0;  ///< Of the budget.
  uint64_t version_ = 0;   ///< Of the snapshot that target_ is a place in; 0: of none.
  uint32_t target_ = 0;
  State state_ = State::kCollecting;
  policy::MirrorDrop drop_ = policy::MirrorDrop::kIncomplete;
};

}  // namespace weir::proxy
