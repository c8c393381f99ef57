// SPDX-License-Identifier: Apache-2.0
// The run-time state of one cluster that all workers share and that survives a reload under its
// name: its published config and endpoints, and the counts behind its limits. Limits are of the
// process, whatever the number of workers. Exchanges do not use it directly: they go through their
// worker's WorkerCluster, which holds it by shared_ptr.
//
// Operator states: ready; drain: new requests are refused (503 no_endpoint), those admitted go on,
// retries included; maint: no endpoint for anybody. Neither keeps idle connections.
//
// Thread: publish(), set_state() and attach() as marked; everything else any thread.
#pragma once

#include <weir/config.h>
#include <weir/error.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/fault_point.h"
#include "upstream/adaptive_limit.h"
#include "upstream/cluster_stats.h"
#include "upstream/endpoint_set.h"
#include "upstream/failback.h"
#include "upstream/health_port.h"
#include "upstream/retry_window.h"
#include "upstream/worker_port.h"

namespace weir::net {
class TlsClientContext;
}

namespace weir::upstream {

/// What `auto` means for a cluster's limits.
struct AutoLimits {
  std::uint32_t max_connections = 1024;

  /// An exchange takes a descriptor on either side, and two more for a pipe while it splices a
  /// large body; so a cluster may use a third of the process's descriptors. At least 16.
  static AutoLimits from_descriptors(std::uint64_t descriptor_limit);
};

/// Limits with every `auto` worked out.
struct ClusterLimits {
  std::uint32_t max_connections = 0;
  std::uint32_t max_requests = 0;  ///< `auto`: all that max_connections and max_pending let in.
  std::uint32_t max_pending = 0;
  std::uint32_t max_idle = 0;

  static ClusterLimits from(const ClusterConfig& config, const AutoLimits& automatic);
};

/// What placement among clusters needs to know of one (Cluster::health()).
struct ClusterHealth {
  bool usable = false;  ///< New requests are taken: it is ready and an endpoint can be picked.
  std::uint32_t eligible = 0;
  std::uint32_t members = 0;
  /// Sums of configured weights: of eligible members, of what these have for now (slow start), and
  /// of all. Whoever warms up is well: the second is for drawing, not for judging.
  std::uint64_t eligible_weight = 0;
  std::uint64_t healthy_weight = 0;
  std::uint64_t total_weight = 0;
  OperatorState state = OperatorState::kReady;
  /// Why it is not usable though its state is ready: kNoEndpoint, kNoHealthyEndpoint, kDnsFailure.
  ErrorCode reason = ErrorCode::kNoEndpoint;
};

/// Why new requests are not taken. Requires: !usable.
std::string why_unusable(const ClusterHealth& health);

class Cluster : public std::enable_shared_from_this<Cluster> {
 public:
  /// What a worker works with until the version moves on.
  struct Published {
    std::shared_ptr<const ClusterConfig> config;
    std::shared_ptr<const EndpointSet> endpoints;
    std::shared_ptr<const net::TlsClientContext> tls;  ///< Null: plain.
    std::shared_ptr<HealthPort> health;                ///< Null: nobody asks how attempts went.
    OperatorState state = OperatorState::kReady;
    std::uint64_t version = 0;
  };

  explicit Cluster(std::string name) : name_(std::move(name)) {}
  Cluster(const Cluster&) = delete;
  Cluster& operator=(const Cluster&) = delete;

  const std::string& name() const { return name_; }

  // -- Control thread.
  void publish(std::shared_ptr<const ClusterConfig> config, const ClusterLimits& limits,
               std::shared_ptr<const net::TlsClientContext> tls = nullptr,
               std::shared_ptr<HealthPort> health = nullptr);
  void publish(std::shared_ptr<const EndpointSet> endpoints);
  /// The operator's word above that of the config, also of later ones; nullopt takes it back.
  void set_state(std::optional<OperatorState> state);

  // -- Any thread.
  /// Moves whenever published() would answer otherwise.
  std::uint64_t version() const { return version_.load(std::memory_order_acquire); }
  Published published() const;
  ClusterLimits limits() const;
  /// No lock; while a publication is under way its parts may be of two of them.
  ClusterHealth health() const;

  /// Where it stands for a cell by itself, in no group.
  HomeShare& home_share() { return home_share_; }
  const HomeShare& home_share() const { return home_share_; }

  /// For drills.
  base::FaultPoint& fault() { return fault_; }

  /// Follows the latency of its answers; off where the config does not ask for it.
  AdaptiveLimit& adaptive() { return adaptive_; }
  const AdaptiveLimit& adaptive() const { return adaptive_; }

  /// Each counts one and is given back once; false: the limit is reached.
  bool try_acquire_request();
  void release_request() { requests_.fetch_sub(1, std::memory_order_relaxed); }
  bool try_acquire_connection();
  /// Hands the place over, undecremented, if a request waits for one on any worker.
  void release_connection();
  bool try_acquire_pending();
  void release_pending() { pending_.fetch_sub(1, std::memory_order_seq_cst); }
  bool try_acquire_idle();
  void release_idle() { idle_.fetch_sub(1, std::memory_order_relaxed); }
  /// Retries in flight stay within max(budget.min, budget.percent of the requests in flight).
  bool try_acquire_retry(const RetryBudget& budget);
  /// And over time within what this says.
  RetryWindow& retry_window() { return retry_window_; }
  void release_retry() { retries_.fetch_sub(1, std::memory_order_relaxed); }

  std::uint32_t requests() const { return requests_.load(std::memory_order_relaxed); }
  std::uint32_t connections() const { return connections_.load(std::memory_order_relaxed); }
  std::uint32_t pending() const { return pending_.load(std::memory_order_relaxed); }
  std::uint32_t idle() const { return idle_.load(std::memory_order_relaxed); }
  std::uint32_t retries() const { return retries_.load(std::memory_order_relaxed); }

  // -- Workers.
  void attach(std::shared_ptr<WorkerPort> port, std::shared_ptr<const ClusterStats> stats);
  /// No letter goes to `port` after this. Its stats stay in the sums.
  void detach(const WorkerPort& port);
  /// Asks another worker than `asker` to close an idle connection.
  void ask_to_shed(const WorkerPort& asker);
  /// One for each worker that ever attached; to be summed at scrape.
  std::vector<std::shared_ptr<const ClusterStats>> stats() const;

 private:
  bool hand_over_place();
  void tell_workers();

  const std::string name_;

  // Read at each pick, written at reload.
  alignas(64) std::atomic<std::uint64_t> version_{0};
  std::atomic<std::uint32_t> max_connections_{0};
  std::atomic<std::uint32_t> max_requests_{0};
  std::atomic<std::uint32_t> max_pending_{0};
  std::atomic<std::uint32_t> max_idle_{0};
  std::atomic<std::uint32_t> eligible_{0};
  std::atomic<std::uint32_t> members_{0};
  std::atomic<std::uint64_t> eligible_weight_{0};
  std::atomic<std::uint64_t> healthy_weight_{0};
  std::atomic<std::uint64_t> total_weight_{0};
  std::atomic<OperatorState> state_{OperatorState::kReady};
  std::atomic<ErrorCode> empty_reason_{ErrorCode::kNoEndpoint};
  HomeShare home_share_;
  base::FaultPoint fault_;

  AdaptiveLimit adaptive_;

  // Written by every request.
  alignas(64) std::atomic<std::uint32_t> requests_{0};
  std::atomic<std::uint32_t> retries_{0};
  std::atomic<std::uint32_t> idle_{0};
  std::atomic<std::uint32_t> connections_{0};
  std::atomic<std::uint32_t> pending_{0};
  RetryWindow retry_window_;

  alignas(64) mutable std::mutex mutex_;  ///< Guards all below.
  Published published_;
  std::optional<OperatorState> said_;  ///< By an operator.
  std::vector<std::shared_ptr<WorkerPort>> ports_;
  std::size_t next_port_ = 0;
  std::vector<std::shared_ptr<const ClusterStats>> stats_;
};

}  // namespace weir::upstream
