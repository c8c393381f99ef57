// SPDX-License-Identifier: Apache-2.0
#include "app/server.h"

#include <signal.h>
#include <sys/random.h>

#include <utility>

#include "app/cpus.h"
#include "app/descriptors.h"
#include "app/diff_running.h"
#include "app/exit_code.h"
#include "app/op_log.h"
#include "app/resident.h"

namespace weir::app {
namespace {

// How often a start looks whether its names have been looked up.
constexpr Duration kSettlePeriod{std::chrono::milliseconds(20)};

uint64_t random_seed() {
  uint64_t seed = 0;
  if (getrandom(&seed, sizeof seed, 0) != sizeof seed) {
    seed = static_cast<uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count());
  }
  return seed;
}

void tell_member_change(const upstream::MemberChange& change) {
  const bool worse = change.phase == upstream::MemberPhase::kDown;
  op_log(worse ? LogLevel::kWarning : LogLevel::kInfo, "failover member changed",
         {{"group", change.group},
          {"cluster", change.cluster},
          {"phase", upstream::phase_word(change.phase)},
          {"why", change.why}});
}

}  // namespace

Server::Server(std::string config_path)
    : config_path_(std::move(config_path)),
      started_(clock_.now()),
      descriptor_limit_(raise_descriptor_limit()),
      loop_(clock_),
      resolver_(loop_),
      clusters_(loop_, resolver_, upstream::AutoLimits::from_descriptors(descriptor_limit_)),
      failover_(loop_, tell_member_change),
      signals_(loop_, [this](int signal) { on_signal(signal); }),
      settle_timer_(net::timer_callback<&Server::on_settle_timer>(this)),
      leave_timer_(net::timer_callback<&Server::begin_drain>(this)),
      drain_deadline_(net::timer_callback<&Server::on_drain_deadline>(this)) {
  clusters_.set_health_listener(
      [this](const upstream::HealthEvent& event) { health_log_.write(event); });
}

Server::~Server() = default;

int Server::run() {
  auto compiled = compile_file(config_path_, ticket_keys_);
  if (!compiled) {
    write_stderr(config::render(compiled.error(), config::ReportFormat::kText));
    write_stderr("weir: " + config_path_ + " has errors; nothing was started\n");
    return kExitConfig;
  }
  if (!compiled->warnings.empty()) {
    write_stderr(config::render(compiled->warnings, config::ReportFormat::kText));
  }
  if (auto done = start(std::move(*compiled)); !done) {
    write_stderr("weir: " + done.error() + "\n");
    stop_and_count();
    return kExitStart;
  }
  loop_.run();
  return stop_and_count();
}

std::expected<void, std::string> Server::start(Compiled compiled) {
  if (auto done = open_everything(compiled); !done) return done;
  const Config& config = *compiled.config;
  const uint32_t count = config.workers > 0 ? config.workers : granted_cpus();
  listeners_ = std::make_unique<Listeners>(count, descriptor_limit_);
  op_log(LogLevel::kInfo, "starting",
         {{"version", WEIR_VERSION},
          {"config", config_path_},
          {"workers", count},
          {"descriptors", descriptor_limit_},
          {"listener_max_connections_auto", listeners_->automatic_limit(config)},
          {"cluster_max_connections_auto", clusters_.automatic().max_connections}});

  auto log_file = LogFile::open(config.access_log);
  if (!log_file) return std::unexpected(std::move(log_file.error()));
  log_thread_ = std::make_unique<LogThread>(count, std::move(*log_file));
  limits_ = std::make_unique<LimitOffice>(clock_, workers_, count);
  if (compiled.policies) limits_->equip(config, *compiled.policies);
  memory_ = std::make_unique<MemoryGuard>(loop_, workers_, count);
  op_log(LogLevel::kInfo, "memory",
         {{"budget_bytes", memory_->apply(config.memory)},
          {"error_bound_bytes", memory_->budget().error_bound()}});
  descriptors_ = std::make_unique<proxy::DescriptorGuard>(
      proxy::DescriptorMarks::from_limit(descriptor_limit_));
  for (uint32_t i = 0; i < count; ++i) {
    workers_.push_back(std::make_unique<proxy::Worker>(
        clock_, proxy::WorkerOptions{i, random_seed(), log_thread_->ring(i), limits_.get(),
                                     limits_->registry().secret(), descriptors_.get(),
                                     &memory_->budget(), &memory_->shares(), &mirrors_}));
    descriptors_->enlist(*workers_.back());
  }
  cells_ = std::make_unique<policy::CellLedger>(count);
  releases_ = std::make_unique<policy::ReleaseLedger>(count);
  overrides_ = std::make_unique<Overrides>(loop_, OverrideTargets::Parts{clusters_, *cells_});
  publisher_ = std::make_unique<Publisher>(Publisher::Parts{
      loop_, config_thread_, *listeners_, clusters_, failover_, *memory_, *cells_, *releases_,
      workers_, breaker_watch_, region_watch_, cell_failback_, *overrides_});
  reloader_ = std::make_unique<Reloader>(
      Reloader::Parts{loop_, config_thread_, *publisher_, *log_thread_, ticket_keys_, *limits_},
      config_path_);
  if (auto done = publisher_->publish(std::move(compiled), [this] { on_adopted(); }); !done) {
    return done;
  }
  for (const auto& worker : workers_) {
    threads_.emplace_back("weir-worker", Thread::kSmallStack, [&worker] { worker->run(); });
  }
  return {};
}

std::expected<void, std::string> Server::open_everything(const Compiled& compiled) {
  if (auto done = admin_sockets_.open(compiled.config->admin); !done) return done;
  admin_ = std::make_unique<admin::Server>(loop_, *this);
  if (admin_sockets_.unix_fd() >= 0) {
    admin_->listen(admin_sockets_.unix_fd(), admin::Door::kUnixSocket);
  }
  if (admin_sockets_.metrics_fd() >= 0) {
    admin_->listen(admin_sockets_.metrics_fd(), admin::Door::kTcp);
  }
  return {};
}

void Server::on_adopted() {
  adopted_ = true;
  reloader_->started(loop_.wall());
  if (const auto& address = admin_sockets_.unix_address()) print_listening("admin", *address);
  if (const auto& address = admin_sockets_.metrics_address()) {
    print_listening("admin-metrics", *address);
  }
  on_settle_timer();
}

void Server::on_settle_timer() {
  if (state_ != State::kStarting) return;
  if (!clusters_.settled()) {
    loop_.arm(settle_timer_, kSettlePeriod);
    return;
  }
  state_ = State::kServing;
  region_watch_.look();
  release_startup_pages();
  write_stderr("ready\n");
}

// -- Signals and the end.

void Server::on_signal(int signal) {
  switch (signal) {
    case SIGHUP:
      // logrotate's habit is SIGHUP; opening a file again that was not moved changes nothing.
      log_thread_->reopen();
      return reloader_->request(nullptr);
    case SIGUSR1:
      return log_thread_->reopen();
    default:
      break;
  }
  if (state_ == State::kDraining) {
    op_log(LogLevel::kWarning, "told again: stopping now");
    return loop_.stop();
  }
  if (state_ == State::kLeaving) {
    op_log(LogLevel::kWarning, "told again: draining now");
    return begin_drain();
  }
  leave(signal == SIGINT ? "SIGINT" : "SIGTERM");
}

void Server::drain() { leave("asked for on the admin socket"); }

// Before anything closes: whoever balances over several weirs reads /readyz, and whoever balances
// over regions /region/health.
void Server::leave(const char* why) {
  if (state_ == State::kLeaving || state_ == State::kDraining) return;
  state_ = State::kLeaving;
  end_why_ = why;
  reloader_->refuse("weir is shutting down");
  const auto until = region_watch_.leave("draining");
  const Duration left = until ? *until - loop_.clock().now() : Duration::zero();
  if (left <= Duration::zero()) return begin_drain();
  op_log(LogLevel::kInfo, "serving on for those whom DNS still sends",
         {{"why", why}, {"for_ms", std::chrono::ceil<Millis>(left).count()}});
  loop_.arm(leave_timer_, left);
}

void Server::begin_drain() {
  leave_timer_.cancel();
  state_ = State::kDraining;
  const Millis patience = publisher_->current()->config->shutdown.drain;
  op_log(LogLevel::kInfo, "draining", {{"why", end_why_}, {"deadline_ms", patience.count()}});
  loop_.arm(drain_deadline_, patience);
  busy_workers_ = workers_.size();
  for (const auto& worker : workers_) {
    worker->drain([this] { loop_.post([this] { on_worker_empty(); }); });
  }
}

void Server::on_worker_empty() {
  if (--busy_workers_ > 0) return;
  op_log(LogLevel::kInfo, "drained");
  loop_.stop();
}

void Server::on_drain_deadline() {
  op_log(LogLevel::kWarning, "drain deadline: what is still open is cut off",
         {{"busy_workers", busy_workers_}});
  loop_.stop();
}

int Server::stop_and_count() {
  for (const auto& worker : workers_) worker->stop();
  threads_.clear();
  // Its tasks call what is destroyed next.
  config_thread_.stop();
  breaker_watch_.stop();
  region_watch_.stop();
  cell_failback_.stop();
  if (overrides_) overrides_->stop();
  admin_.reset();
  int64_t exchanges = 0;
  int64_t connections = 0;
  size_t blocks = 0;
  for (const auto& worker : workers_) {
    const proxy::WorkerStats& stats = worker->stats();
    exchanges += stats.exchanges_live.value();
    connections += stats.downstream_connections_live.value();
    connections += stats.upstream_connections_live.value();
    blocks += worker->small_blocks().live() + worker->large_blocks().live();
  }
  const bool served = adopted_;
  workers_.clear();
  log_thread_.reset();
  if (!served) return kExitOk;
  write_stderr("exit live_exchanges=" + std::to_string(exchanges) + " live_connections=" +
               std::to_string(connections) + " live_blocks=" + std::to_string(blocks) + "\n");
  return exchanges == 0 && connections == 0 && blocks == 0 ? kExitOk : kExitLeak;
}

// -- What the admin pages see.

std::shared_ptr<const proxy::Snapshot> Server::snapshot() const {
  return adopted_ ? publisher_->current() : nullptr;
}

std::vector<upstream::ClusterSnapshot> Server::clusters() const { return clusters_.snapshot(); }

std::vector<admin::WorkerReading> Server::workers() const {
  std::vector<admin::WorkerReading> out;
  for (size_t i = 0; i < workers_.size(); ++i) {
    const proxy::Worker& worker = *workers_[i];
    const int64_t turned = worker.last_turn_ns();
    // A worker that has not begun to turn has had as long as the process is old.
    out.push_back({static_cast<uint32_t>(i),
                   turned != 0 ? turned : started_.time_since_epoch().count(),
                   worker.accounted_bytes(), &worker.stats(), &worker.held_by_function()});
  }
  return out;
}

admin::LogTotals Server::log() const {
  return {log_thread_->bytes_written(), log_thread_->bytes_lost()};
}

admin::MemoryTotals Server::memory() const {
  if (!memory_) return {};
  const base::MemoryBudget& budget = memory_->budget();
  return {budget.limit(), budget.charged(), budget.error_bound(), budget.stage()};
}

std::string Server::not_ready() const {
  switch (state_) {
    case State::kStarting:
      return adopted_ ? "names of clusters are being looked up, endpoints checked" : "starting";
    case State::kLeaving:
      return "leaving the answers of DNS";
    case State::kDraining:
      return "draining";
    case State::kServing:
      break;
  }
  for (const std::string& name : publisher_->current()->config->admin.ready_when) {
    const upstream::Cluster* const cluster = clusters_.find(name);
    if (cluster == nullptr || cluster->health().usable) continue;
    return "cluster " + name + " has no endpoint that could be picked";
  }
  return {};
}

void Server::diff(bool json, DiffDone done) {
  const auto snapshot = publisher_->current();
  config_thread_.post([this, json, running = snapshot->config, set = overrides_->rows(),
                       reply = std::move(done)]() mutable {
    auto outcome = diff_running(*running, config_path_, set, json);
    running.reset();
    loop_.post([text = std::move(outcome), answer = std::move(reply)]() mutable {
      answer(std::move(text));
    });
  });
}

std::string Server::admin_address() const {
  return admin_sockets_.unix_address() ? admin_sockets_.unix_address()->text : std::string();
}

void Server::write_page(Page page, PageDone done) {
  config_thread_.post([this, work = std::move(page), reply = std::move(done)]() mutable {
    std::string text = work();
    // What the page holds may be large to free: here, not on the loop.
    work = nullptr;
    loop_.post(
        [body = std::move(text), answer = std::move(reply)]() mutable { answer(std::move(body)); });
  });
}

}  // namespace weir::app
