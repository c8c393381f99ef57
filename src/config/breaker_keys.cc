// SPDX-License-Identifier: Apache-2.0
// Keys under a cluster's `circuit_breaker`.
#include "config/keys.h"
#include "config/lists.h"
#include "config/scalars.h"

namespace weir::config {

namespace {

constexpr std::uint32_t kMaxCount = 1'000'000;
constexpr Millis kLeast = std::chrono::milliseconds{100};

CodecPtr<BreakerFallback> fallback_section() {
  using S = BreakerFallback;
  return section<S>(
      {
          key("cluster", &S::cluster, name(), "The cluster that is asked instead.",
              KeyUse::kAlternative),
          key("direct", &S::direct, optional(direct_section()), "An answer that weir gives itself.",
              KeyUse::kAlternative),
      },
      [](Reader& reader, NodeId id, S&) {
        const bool cluster = reader.find(id, "cluster") != Document::kNone;
        const bool direct = reader.find(id, "direct") != Document::kNone;
        if (cluster != direct) return;
        reader.error(id, {cluster ? "a fallback goes to one place" : "a fallback to nowhere",
                          "write one of cluster: NAME and direct: {status: 200, body: ...}"});
      });
}

void check_share(Reader& reader, NodeId id, std::string_view key, Share share) {
  if (share.ppm != 0) return;
  const Reader::Step step(reader, key);
  reader.error(reader.find(id, key), {"would open without any reason", "write 1% or more"});
}

void check_breaker(Reader& reader, NodeId id, CircuitBreakerConfig& breaker) {
  check_share(reader, id, "failure_rate_threshold", breaker.failure_rate_threshold);
  check_share(reader, id, "slow_call_rate_threshold", breaker.slow_call_rate_threshold);
  const NodeId throttle = reader.find(id, "throttle_threshold");
  if (throttle == Document::kNone) {
    // Half way to where it opens, whatever that is.
    breaker.throttle_threshold = Share{breaker.failure_rate_threshold.ppm / 2};
  } else if (breaker.throttle_threshold.ppm >= breaker.failure_rate_threshold.ppm) {
    const Reader::Step step(reader, "throttle_threshold");
    reader.error(throttle, {"not below failure_rate_threshold, where all are refused",
                            "write less, or 0% for no refusals at random"});
  }
  if (breaker.max_open_duration < breaker.open_duration) {
    const Reader::Step step(reader, "max_open_duration");
    reader.error(reader.find(id, "max_open_duration"),
                 {"shorter than open_duration", "write at least as much"});
  }
  const NodeId per = reader.find(id, "per");
  if (per != Document::kNone && breaker.per.empty()) {
    const Reader::Step step(reader, "per");
    reader.error(per, {"a breaker of nothing", "write cluster, function or both"});
  }
}

}  // namespace

CodecPtr<CircuitBreakerConfig> circuit_breaker_section() {
  using S = CircuitBreakerConfig;
  static const auto table = section<S>(
      {
          key("failure_rate_threshold", &S::failure_rate_threshold, share(),
              "The share of failed calls in the window that opens it."),
          key("throttle_threshold", &S::throttle_threshold, share(),
              "Some are refused at random from here on; half of failure_rate_threshold unless "
              "given."),
          key("slow_call_rate_threshold", &S::slow_call_rate_threshold, share(),
              "The share of slow calls in the window that opens it."),
          key("slow_call_duration", &S::slow_call_duration, duration(Zero::kRefused),
              "A call whose answer takes longer to begin is slow."),
          key("sliding_window", &S::sliding_window, duration(Zero::kRefused, kLeast),
              "How far back calls count."),
          key("minimum_requests", &S::minimum_requests, count<std::uint32_t>(1, kMaxCount),
              "Fewer calls in the window are not judged."),
          key("open_duration", &S::open_duration, duration(Zero::kRefused, kLeast),
              "How long all are refused before probes; doubles each time that these fail."),
          key("max_open_duration", &S::max_open_duration, duration(Zero::kRefused, kLeast),
              "The longest that open_duration grows to."),
          key("half_open_requests", &S::half_open_requests, count<std::uint32_t>(1, 10'000),
              "Requests that are let in as probes and decide."),
          key("per", &S::per,
              list_of(enumeration<BreakerLevel>({{"cluster", BreakerLevel::kCluster},
                                                 {"function", BreakerLevel::kFunction}}),
                      Repeats::kRefused),
              "What is judged as one: the cluster, each function in it; endpoints have "
              "outlier_detection."),
          key("fallback", &S::fallback, optional(fallback_section()),
              "What requests get instead of 503 circuit_open.", KeyUse::kAlternative),
      },
      check_breaker);
  return table;
}

}  // namespace weir::config
