// SPDX-License-Identifier: Apache-2.0
// Checks one endpoint again and again: at once when it joins, then by the interval with jitter,
// sooner while its state is about to change, and out of turn when requests fail at it. Results go
// to its Membership. Thread: the control loop's.
#pragma once

#include <weir/clock.h>
#include <weir/config.h>

#include <memory>
#include <string_view>

#include "net/timer_wheel.h"
#include "net/tls_client_context.h"
#include "upstream/health_office.h"
#include "upstream/probe.h"

namespace weir::upstream {

class Membership;

class Checker final : private ProbeHandler, private ProbePlaceWaiter {
 public:
  /// The first check is asked for at once. Requires: the membership's config has a health_check.
  Checker(Membership& membership, std::shared_ptr<Endpoint> endpoint);
  ~Checker();

  Endpoint& endpoint() const { return *endpoint_; }
  /// Requests fail at it: a check at once, unless one was made a moment ago.
  void hurry();
  /// A look every now and then: attempts that wait and get no answer make it hurry.
  void watch_silence(TimePoint now);

 private:
  void on_timer();
  void on_probe_place() override;
  void on_probe(bool passed, std::string_view reason) override;
  void schedule(TimePoint now);
  void drop();

  Membership& membership_;
  const std::shared_ptr<Endpoint> endpoint_;
  net::TlsSessionCache sessions_;
  net::Timer timer_;
  Probe* probe_ = nullptr;  ///< Under way; holds a place.
  TimePoint asked_at_{};    ///< When the last check began.
  TimePoint silent_since_{};
  std::uint32_t heads_ = 0;  ///< Of the tally, when silence was last looked for.
  bool first_ = true;        ///< No wait was scheduled yet.
  bool witness_ = false;     ///< Requests have failed since the last check was back.
};

}  // namespace weir::upstream
