// SPDX-License-Identifier: Apache-2.0
// The breakers of one cluster: its own, and one for each function that it has failed. A function
// that never failed has none, and costs a look-up. State outlives reloads, under the cluster's
// name.
//
// Children are judged first: what an open function or an ejected endpoint explains does not trip
// the cluster. Functions beyond kMaxFunctions share kShared breakers, by hash: names are whatever
// clients write into a path, and must neither cost memory without end nor leave the bad ones to the
// cluster's own breaker.
//
// Thread: any, but apply(), which is the control thread's. Lifetime: shared by snapshots; permits
// end before the exchange's arena does.
#pragma once

#include <weir/breaker_config.h>
#include <weir/clock.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "policy/breaker.h"

namespace weir::policy {

class ClusterBreakers;

/// Leave to make calls, and what has to be given back for it. A member of the exchange's owner of
/// it; destroying it ends what it holds.
class BreakerPermit {
 public:
  BreakerPermit() = default;
  BreakerPermit(BreakerPermit&& from) noexcept
      : cluster_probe_(std::exchange(from.cluster_probe_, nullptr)),
        function_probe_(std::exchange(from.function_probe_, nullptr)) {}
  BreakerPermit& operator=(BreakerPermit&& from) noexcept {
    release();
    cluster_probe_ = std::exchange(from.cluster_probe_, nullptr);
    function_probe_ = std::exchange(from.function_probe_, nullptr);
    return *this;
  }
  ~BreakerPermit() { release(); }
  /// Ends the probes that it stands for. Harmless when repeated.
  void release();

 private:
  friend class ClusterBreakers;
  Breaker* cluster_probe_ = nullptr;
  Breaker* function_probe_ = nullptr;
};

struct BreakerMoment {
  TimePoint now;
  base::Rng& rng;
};

struct BreakerRefusal {
  BreakerLevel level = BreakerLevel::kCluster;
  Duration retry_after{0};
};

class ClusterBreakers {
 public:
  static constexpr std::size_t kMaxFunctions = 1024;
  static constexpr std::size_t kShared = 256;

  explicit ClusterBreakers(std::string cluster) : cluster_(std::move(cluster)) {}
  ClusterBreakers(const ClusterBreakers&) = delete;
  ClusterBreakers& operator=(const ClusterBreakers&) = delete;
  ~ClusterBreakers();

  const std::string& cluster() const { return cluster_; }

  /// Nullopt: calls of `function` may be made, until `permit` is released.
  std::optional<BreakerRefusal> admit(const CircuitBreakerConfig& config, std::string_view function,
                                      BreakerPermit& permit, const BreakerMoment& at);
  /// How one call ended. `endpoints`: what ejected endpoints explain; may be null.
  void record(const CircuitBreakerConfig& config, std::string_view function,
              base::CallOutcome outcome, TimePoint now, const ExplainedBy* endpoints);
  /// Takes back what record() was told of a call, as Breaker::withdraw().
  void withdraw(const CircuitBreakerConfig& config, std::string_view function, const CallEnd& end);
  /// The cluster's own breaker refuses everything: nothing should be sent here.
  bool open(TimePoint now) const { return own_.open(now); }

  /// The cluster's own breaker refuses nobody.
  bool calm() const { return own_.calm(); }
  /// What a level above need not judge: the cluster's window while its breaker is not closed.
  base::OutcomeCounts explains(const CircuitBreakerConfig& config, TimePoint now) const;

  /// An empty `function`: the cluster itself. False: no such function has failed here yet and none
  /// can be added.
  bool force(std::string_view function, std::optional<BreakerState> state, TimePoint until);

  struct Row {
    std::string function;  ///< Empty: the cluster.
    Breaker::Reading reading;
  };
  /// The cluster, then all functions that are not closed and at rest.
  std::vector<Row> read(const CircuitBreakerConfig& config, TimePoint now) const;

 private:
  struct Function;
  struct Functions;
  struct Explained;

  Breaker* find(std::string_view function) const;
  Breaker* find_or_add(std::string_view function);
  Functions& table();

  const std::string cluster_;
  Breaker own_;
  std::atomic<Functions*> functions_{nullptr};  ///< From the first failure of one.
};

/// All clusters' breakers, by name. Thread: the control thread's.
class BreakerRegistry {
 public:
  /// Null: the cluster has no breaker. In the order of `names`.
  std::shared_ptr<ClusterBreakers> state(const std::string& cluster);

 private:
  std::unordered_map<std::string, std::weak_ptr<ClusterBreakers>> clusters_;
};

}  // namespace weir::policy
