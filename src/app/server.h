// SPDX-License-Identifier: Apache-2.0
// A running weir: builds the object graph, holds it together on the control loop, and takes it
// apart again. The order of the members is the order of dependence: what stands below uses what
// stands above, and is destroyed first.
//
// Life: start() -> serving -> leave() (SIGTERM, POST /drain) -> where DNS names this region,
// serving on for two TTLs or until a second signal -> begin_drain() -> stop: everybody gone, the
// deadline over, or a further signal -> end. Thread: the main one, which is the control loop's.
#pragma once

#include <weir/clock.h>

#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "admin/process.h"
#include "admin/server.h"
#include "app/admin_sockets.h"
#include "app/breaker_watch.h"
#include "app/cell_failback.h"
#include "app/config_thread.h"
#include "app/health_log.h"
#include "app/limit_office.h"
#include "app/listeners.h"
#include "app/log_thread.h"
#include "app/memory_guard.h"
#include "app/overrides.h"
#include "app/publisher.h"
#include "app/region_watch.h"
#include "app/reloader.h"
#include "app/signals.h"
#include "app/thread.h"
#include "net/loop.h"
#include "net/resolver.h"
#include "policy/mirror_budget.h"
#include "proxy/descriptor_guard.h"
#include "proxy/worker.h"
#include "upstream/cluster_manager.h"
#include "upstream/failover_manager.h"

namespace weir::app {

class Server final : public admin::Process {
 public:
  explicit Server(std::string config_path);
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;
  ~Server();

  /// Runs until told to end. An exit code of options.h.
  int run();

 private:
  // admin::Process
  const Clock& clock() const override { return clock_; }
  TimePoint started() const override { return started_; }
  std::shared_ptr<const proxy::Snapshot> snapshot() const override;
  std::vector<upstream::ClusterSnapshot> clusters() const override;
  std::vector<upstream::FailoverGroupSnapshot> failover_groups() const override {
    return failover_.snapshot();
  }
  std::vector<admin::WorkerReading> workers() const override;
  admin::ReloadTotals reloads() const override { return reloader_->totals(); }
  admin::LogTotals log() const override;
  admin::MemoryTotals memory() const override;
  std::string not_ready() const override;
  std::optional<upstream::RegionReading> region() const override { return region_watch_.reading(); }
  std::string admin_address() const override;
  void reload(ReloadDone done) override { reloader_->request(std::move(done)); }
  void drain() override;
  std::vector<admin::OverrideRow> overrides() const override { return overrides_->rows(); }
  admin::SetAnswer set(const admin::SetRequest& request) override {
    return overrides_->set(request);
  }
  std::expected<uint64_t, admin::SetAnswer> in_flight(std::string_view kind,
                                                      std::string_view name) const override {
    return overrides_->in_flight(kind, name);
  }
  void diff(bool json, DiffDone done) override;
  void post(Task task) override { loop_.post(std::move(task)); }
  void write_page(Page page, PageDone done) override;

  enum class State : uint8_t { kStarting, kServing, kLeaving, kDraining };

  std::expected<void, std::string> start(Compiled compiled);
  std::expected<void, std::string> open_everything(const Compiled& compiled);
  void start_workers(uint32_t count);
  void on_adopted();
  void on_settle_timer();
  void on_signal(int signal);
  void leave(const char* why);
  void begin_drain();
  void on_worker_empty();
  void on_drain_deadline();
  int stop_and_count();

  const std::string config_path_;
  SystemClock clock_;
  const TimePoint started_;
  const uint64_t descriptor_limit_;
  /// Seal tickets as long as the process lives, over all reloads.
  const std::shared_ptr<net::TlsTicketKeys> ticket_keys_ = net::make_process_ticket_keys();
  net::Loop loop_;
  net::Resolver resolver_;
  HealthLog health_log_{clock_};
  upstream::ClusterManager clusters_;
  upstream::FailoverManager failover_;
  ConfigThread config_thread_;
  BreakerWatch breaker_watch_{loop_};
  CellFailback cell_failback_{loop_};
  RegionWatch region_watch_{loop_, [this] { return not_ready(); }};
  AdminSockets admin_sockets_;
  std::unique_ptr<Listeners> listeners_;
  std::unique_ptr<LogThread> log_thread_;
  std::unique_ptr<LimitOffice> limits_;
  std::unique_ptr<proxy::DescriptorGuard> descriptors_;
  std::unique_ptr<MemoryGuard> memory_;
  policy::MirrorBudget mirrors_;
  std::unique_ptr<policy::CellLedger> cells_;
  std::unique_ptr<Overrides> overrides_;
  std::unique_ptr<policy::ReleaseLedger> releases_;
  std::vector<std::unique_ptr<proxy::Worker>> workers_;
  std::vector<Thread> threads_;
  std::unique_ptr<Publisher> publisher_;
  std::unique_ptr<Reloader> reloader_;
  std::unique_ptr<admin::Server> admin_;
  Signals signals_;

  State state_ = State::kStarting;
  bool adopted_ = false;      ///< The workers serve the first config.
  size_t busy_workers_ = 0;   ///< Those that drain and are not empty yet.
  net::Timer settle_timer_;   ///< Looks whether all names have been looked up.
  const char* end_why_ = "";  ///< Who has told it to end.
  net::Timer leave_timer_;    ///< Until nobody comes any more whom DNS has sent.
  net::Timer drain_deadline_;
};

}  // namespace weir::app
