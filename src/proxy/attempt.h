// SPDX-License-Identifier: Apache-2.0
// One try of an exchange at one endpoint: the endpoint that was chosen, the connection that is
// leased, and how long each stage may take. A member of its exchange, used again for the next try.
// One thread.
#pragma once

#include <weir/clock.h>
#include <weir/error.h>

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "net/timer_wheel.h"
#include "policy/breaker.h"
#include "proxy/stream.h"
#include "upstream/outcome.h"
#include "upstream/worker_cluster.h"

namespace weir::proxy {

class Exchange;

class Attempt final : public upstream::PlaceWaiter {
 public:
  explicit Attempt(Exchange& exchange);
  ~Attempt() override;

  /// Chooses an endpoint that was not tried yet and leases a connection. True: stream() is ready.
  /// False: Exchange::on_connected() will come. `hash` is what a sticky choice is keyed on.
  Result<bool> begin(uint64_t hash);
  /// The connection, from on_connected() to the end of the attempt; else null.
  UpstreamStream* stream() const { return ready_ ? stream_ : nullptr; }
  void connected(UpstreamStream& stream);
  void lease_again();
  void stream_changed(UpstreamStream& stream) { stream_ = &stream; }
  bool carries(const UpstreamStream& stream) const { return stream_ == &stream; }
  /// Changes what is under way with `other`; who was tried stays where it is. Requires: neither
  /// waits.
  void swap(Attempt& other);
  /// The connection has detached itself (response complete, or failed).
  void detached() { stream_ = nullptr; }

  /// The cluster has an endpoint that this exchange has not tried.
  bool has_untried() const;
  /// The exchange is in another cluster now.
  void forget_tried() { tried_count_ = 0; }
  /// The last one chosen has felt nothing of it.
  void forget_last_tried() {
    if (tried_count_ > 0) --tried_count_;
  }

  /// All of the request is queued: the response's time begins.
  void request_sent();
  bool awaits_response() const { return stage_ == Stage::kResponse; }
  /// The response has begun: from now on only silence is timed.
  void response_begun();
  /// Bytes moved in either direction.
  void progress();
  /// Tells those who judge endpoints what came of it. At the head, and once more at the end, which
  /// says nothing more of an answer that was a failure; what ends without a word was kNeutral.
  void report(upstream::AttemptOutcome outcome);
  /// A response head was reported.
  bool answered() const { return reported_ && answered_; }
  /// What circuit breakers were told of this try; nullopt: nothing yet.
  std::optional<policy::CallEnd>& told() { return told_; }
  /// Gives everything back; what is unfinished is cut off. Harmless when repeated.
  void end();

  /// Of this try; null before one was chosen and after end().
  upstream::Endpoint* endpoint() const { return endpoint_ ? &endpoint_->shared() : nullptr; }
  /// Of the last try: for the log, in the exchange's arena.
  std::string_view endpoint_text() const { return endpoint_text_; }
  std::string_view endpoint_host() const { return endpoint_host_; }
  bool reused() const { return reused_; }
  /// The connection was there when the attempt began.
  bool immediate() const { return connected_at_ == begun_at_; }
  TimePoint connected_at() const { return connected_at_; }
  TimePoint begun_at() const { return begun_at_; }

  // upstream::PlaceWaiter
  void on_place() override;

 private:
  /// What the timer waits for; each has an error of its own.
  enum class Stage : uint8_t { kNone, kPlace, kConnect, kResponse, kStream };

  Result<void> choose();
  Result<bool> lease();
  Result<bool> joined(UpstreamStream& stream, bool ready);
  Result<bool> connect(upstream::ConnectionPermit permit);
  void arm(Stage stage, Duration limit);
  void arm_at(TimePoint deadline);
  void on_timer();

  Exchange& exchange_;
  upstream::EndpointHold endpoint_;
  UpstreamStream* stream_ = nullptr;
  net::Timer timer_;
  TimePoint try_deadline_{};
  TimePoint begun_at_{};
  TimePoint connected_at_{};
  std::string_view endpoint_text_;
  std::string_view endpoint_host_;
  /// Enough for every retry that config/ allows before the first endpoints may come again.
  std::array<const upstream::Endpoint*, 12> tried_{};
  uint32_t tried_count_ = 0;
  uint64_t hash_ = 0;
  Stage stage_ = Stage::kNone;
  bool ready_ = false;
  bool reused_ = false;
  bool reported_ = true;  ///< Of the try under way.
  bool answered_ = false;
  bool server_error_ = false;  ///< Answered, with a failure.
  uint64_t head_us_ = 0;       ///< From the connection to the head of the answer.
  std::optional<policy::CallEnd> told_;
};

}  // namespace weir::proxy
