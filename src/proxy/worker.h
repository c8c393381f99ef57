// SPDX-License-Identifier: Apache-2.0
// One thread of the data path: its loop, its memory, its connections. Shared-nothing but for what
// Snapshot and SharedListener say. Owns every downstream connection, idle upstream connection and
// exchange of its thread, and is empty again when run() returns.
//
// Thread: the public part up to "own thread only" may be called from any thread; it posts. The rest
// belongs to the thread in run().
#pragma once

#include <weir/clock.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "base/account.h"
#include "base/block.h"
#include "base/log_ring.h"
#include "base/memory_budget.h"
#include "base/rng.h"
#include "http/date.h"
#include "net/loop.h"
#include "net/pipe_pool.h"
#include "policy/held_by_name.h"
#include "policy/limits.h"
#include "policy/memory_shares.h"
#include "policy/shedder.h"
#include "proxy/descriptor_guard.h"
#include "proxy/mirroring.h"
#include "proxy/stats.h"
#include "upstream/worker_clusters.h"

namespace weir::proxy {

struct Client;
struct SharedListener;
struct Snapshot;
class DescriptorGuard;
class Exchange;
class WorkerListener;
class H2DownstreamConnection;
class H2DownstreamStream;
struct AccessRecord;

struct WorkerOptions {
  uint32_t index = 0;
  uint64_t seed = 0;                       ///< For load balancing, jitter and ids.
  base::LogRing* access_log = nullptr;     ///< Outlives the worker; its one writer is this worker.
  policy::PlaceOffice* office = nullptr;   ///< Between all workers, outlives them; null: no limits.
  policy::KeySecret limit_secret{};        ///< That of the policy::LimitRegistry, for all names.
  DescriptorGuard* descriptors = nullptr;  ///< Between all workers; null: never short of any.
  base::MemoryBudget* memory = nullptr;    ///< Of the process, outlives the worker; null: no bound.
  policy::MemoryShares* shares = nullptr;  ///< Beside it; null: tenants have no shares.
  policy::MirrorBudget* mirrors = nullptr;  ///< Of the process; null: no request is copied.
};

class Worker {
 public:
  using Done = std::move_only_function<void()>;

  Worker(const Clock& clock, WorkerOptions options);
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;
  /// Requires: run() has returned.
  ~Worker();

  /// Serves until stop(); then closes what is left and returns. The thread's main.
  void run();
  /// Makes `snapshot` current: opens and closes acceptors by its listeners, keeps pools and
  /// counters of what stays. `done` runs on this worker's thread when the old one is let go.
  void adopt(std::shared_ptr<const Snapshot> snapshot, Done done);
  /// Stops accepting; idle connections close, the others when their exchange ends. `empty` runs on
  /// this worker's thread when the last connection is gone.
  void drain(Done empty);
  /// Ends run(): what is still open is reset.
  void stop();
  /// A letter of the office for this worker's desk. Requires: an office. Any thread.
  void deliver(policy::PlaceLetter letter);
  /// The stage of memory has changed: what it wants gone goes (worker_memory.cc).
  void relieve();

  /// shed_idle() in a turn of its own. Asked again before that, it is done once. Any thread.
  void ask_to_shed_idle(uint32_t most, const SharedListener* only = nullptr);

  /// When the loop last turned (steady clock, ns): the control loop's proof of life. A loop that
  /// has nothing to do still turns each 500 ms.
  int64_t last_turn_ns() const { return last_turn_ns_.load(std::memory_order_relaxed); }
  const WorkerStats& stats() const { return stats_; }
  /// Bytes of blocks held by this worker's exchanges and connections.
  int64_t accounted_bytes() const { return process_account_.held(); }
  /// Those of them that exchanges of each function hold.
  const policy::HeldByName& held_by_function() const { return held_by_function_; }

  // ---- Own thread only.
  net::Loop& loop() { return loop_; }
  base::BlockPool& small_blocks() { return small_blocks_; }
  base::BlockPool& large_blocks() { return large_blocks_; }
  base::Account& process_account() { return process_account_; }
  base::MemoryMeter& memory() { return meter_; }
  /// What has to go while memory is short: one relaxed load.
  base::MemoryStage memory_stage() const { return meter_.stage(); }
  policy::HeldByName& held_by_function() { return held_by_function_; }
  /// What the names of tenants and functions are hashed under, by all tables that know them.
  const policy::KeySecret& name_secret() const { return options_.limit_secret; }
  /// Null: tenants have no shares of it.
  policy::MemoryShares* memory_shares() { return options_.shares; }
  net::PipePool& pipes() { return pipes_; }
  const DescriptorMarks& descriptor_marks() const { return descriptor_marks_; }
  /// A new descriptor's number is over the mark: connections that idle are closed, here or on other
  /// workers. As shed_idle(): from the loop.
  void descriptors_scarce();
  /// A listener is full: the same for its own connections.
  void listener_full(const SharedListener& listener);
  /// Closes up to `most` connections that idle, of clients and of origins, the oldest first; says
  /// how many. Looks at some hundreds at most. `only`: clients of this listener alone. From the
  /// loop, never from inside a call of a connection: there, ask_to_shed_idle().
  /// `idle_for`: those who spoke since then are left alone.
  uint32_t shed_idle(uint32_t most, const SharedListener* only = nullptr,
                     Duration idle_for = kYoung);
  /// One that has just come is about to speak.
  static constexpr Duration kYoung = std::chrono::milliseconds(100);
  base::Rng& rng() { return rng_; }
  http::DateCache& date() { return date_; }
  WorkerStats& mutable_stats() { return stats_; }
  uint32_t index() const { return options_.index; }
  bool draining() const { return draining_; }
  const Snapshot& snapshot() const { return *snapshot_; }
  /// Null without an office.
  policy::WorkerLimits* limits() { return limits_ ? &limits_->checks : nullptr; }
  policy::Shedder& shedder() { return shedder_; }
  Mirroring& mirroring() { return mirroring_; }
  /// The worker's view of a cluster of snapshot(), by its place there; a permit keeps it alive.
  upstream::WorkerCluster& cluster(uint32_t cluster_index) { return clusters_[cluster_index]; }

  /// One read buffer for all connections: what is in it is parsed and sent, or copied, before the
  /// loop goes on.
  static constexpr size_t kReadBuffer = 64 * 1024;
  char* read_buffer() { return read_buffer_.get(); }
  /// How much of a body is read at once: what is read may have to be held.
  size_t body_read() const {
    return memory_stage() < base::MemoryStage::kShrink ? kReadBuffer : kShortRead;
  }

  /// From the slab; the exchange's codec gives it back when it has finished.
  Exchange* take_exchange(const Client& client);
  void recycle_exchange(Exchange& exchange);
  void connection_closed();
  /// A stream of an HTTP/2 client with its exchange, from the slab.
  H2DownstreamStream* take_h2_stream(H2DownstreamConnection& connection);
  void recycle_h2_stream(H2DownstreamStream& stream);
  /// Exchanges that an HTTP/2 connection's feed() has reached (see H2Connection::touch()).
  std::vector<Exchange*>& touched() { return touched_; }
  /// Whether this turn has time for another step of a TLS handshake; shook_hands() says what one
  /// took.
  bool may_shake_hands() const { return handshakes_took_ < kHandshakesATurn; }
  void shook_hands(Duration took) { handshakes_took_ += took; }
  /// Writes the line into the worker's ring, or counts it as dropped.
  void log(const AccessRecord& record);

 private:
  static constexpr size_t kShortRead = 16 * 1024;
  /// Then the others get their turn.
  static constexpr Duration kHandshakesATurn = std::chrono::milliseconds(3);

  struct Limits {
    Limits(const Clock& clock, const WorkerOptions& options)
        : desk(*options.office, options.index),
          checks(clock, desk, options.index, options.limit_secret) {}
    policy::PlaceDesk desk;
    policy::WorkerLimits checks;
  };

  uint32_t shed_upstream(uint32_t most, TimePoint until);
  void adopt_now(std::shared_ptr<const Snapshot> snapshot);
  void adopt_limits(const Snapshot& next);
  void adopt_listeners(const Snapshot& next);
  void detach_exchanges();
  void sweep_listeners();
  void drain_now(Done empty);
  void stop_now();
  void on_heartbeat();
  void relieve_now();
  void trim_pools();
  void drop_pools();
  void on_relief();
  void reset_largest();
  void end_turn();
  void measure_turn();
  void measure_delay();
  bool idle();

  WorkerOptions options_;
  net::Loop loop_;
  const DescriptorMarks descriptor_marks_;
  base::MemoryMeter meter_;
  base::Account process_account_;
  base::BlockPool small_blocks_;
  base::BlockPool large_blocks_;
  net::PipePool pipes_;
  base::Rng rng_;
  http::DateCache date_;
  WorkerStats stats_;
  std::unique_ptr<char[]> read_buffer_;
  std::unique_ptr<char[]> log_buffer_;
  std::shared_ptr<const Snapshot> snapshot_;
  upstream::WorkerClusters clusters_;
  policy::Shedder shedder_;
  Mirroring mirroring_;
  TimePoint probe_sent_{};
  bool probing_ = false;
  std::optional<Limits> limits_;                            ///< Where there is an office.
  std::vector<std::unique_ptr<WorkerListener>> listeners_;  ///< Of the snapshot, and leaving ones.
  base::BlockPool exchange_memory_;
  base::BlockPool h2_stream_memory_;
  std::vector<Exchange*> touched_;
  Duration handshakes_took_{};  ///< In this turn.
  base::IntrusiveList<Exchange> exchanges_;
  policy::HeldByName held_by_function_;
  net::Timer heartbeat_;
  uint32_t beats_to_trim_ = 0;
  net::Timer relief_;          ///< Runs while the largest are reset.
  std::vector<Done> drained_;  ///< Called once, when the last connection is gone.
  std::atomic<int64_t> last_turn_ns_{0};
  std::atomic<bool> asked_to_shed_{false};
  TimePoint shed_again_at_{};
  int64_t turn_max_us_[2] = {};  ///< Of this half minute and the one before.
  TimePoint turn_window_{};
  bool draining_ = false;
  bool sweep_ = false;  ///< A listener that has left may be empty now.
};

}  // namespace weir::proxy
