// SPDX-License-Identifier: Apache-2.0
#include "proxy/worker.h"

#include <algorithm>

#include "base/check.h"
#include "proxy/access_record.h"
#include "proxy/exchange.h"
#include "proxy/h2_downstream.h"
#include "proxy/snapshot.h"
#include "proxy/worker_listener.h"

namespace weir::proxy {
namespace {

// An exchange's arena takes a head of 16 headers, the rewritten one and the response's in one
// block.
constexpr size_t kSmallBlock = 4096;
constexpr size_t kLargeBlock = 16 * 1024;
// What is kept for reuse after a burst: 2 MiB small, 4 MiB large.
constexpr size_t kFreeSmall = 512;
constexpr size_t kFreeLarge = 256;
constexpr size_t kFreeExchanges = 512;
// Two descriptors and up to 1 MiB of kernel memory each.
constexpr size_t kOpenPipes = 256;
constexpr size_t kFreePipes = 16;
constexpr Duration kTurnWindow = std::chrono::seconds(30);
constexpr Duration kHeartbeat = std::chrono::milliseconds(500);
// What the pools have not used for so many beats goes.
constexpr uint32_t kBeatsToTrim = 20;

}  // namespace

Worker::Worker(const Clock& clock, WorkerOptions options)
    : options_(options),
      loop_(clock),
      descriptor_marks_(options.descriptors != nullptr ? options.descriptors->marks()
                                                       : DescriptorMarks{}),
      meter_(options.memory),
      process_account_(meter_),
      small_blocks_(kSmallBlock, kFreeSmall),
      large_blocks_(kLargeBlock, kFreeLarge),
      pipes_(kOpenPipes, kFreePipes, descriptor_marks_.shed),
      rng_(options.seed),
      read_buffer_(std::make_unique_for_overwrite<char[]>(kReadBuffer)),
      log_buffer_(std::make_unique_for_overwrite<char[]>(AccessLogFormat::kRoomEnough)),
      clusters_(loop_, rng_.next()),
      mirroring_(*this, options.mirrors),
      exchange_memory_(sizeof(base::Block) + sizeof(Exchange), kFreeExchanges),
      h2_stream_memory_(sizeof(base::Block) + sizeof(H2DownstreamStream), kFreeExchanges),
      heartbeat_(net::timer_callback<&Worker::on_heartbeat>(this)),
      relief_(net::timer_callback<&Worker::on_relief>(this)) {
  if (options_.office != nullptr) limits_.emplace(clock, options_);
  last_turn_ns_.store(clock.now().time_since_epoch().count(), std::memory_order_relaxed);
}

Worker::~Worker() {
  CHECK(exchanges_.empty());
  CHECK(listeners_.empty());
}

void Worker::run() {
  loop_.set_turn_hook([this] { end_turn(); });
  on_heartbeat();
  loop_.run();
  heartbeat_.cancel();
  relief_.cancel();
  meter_.push();
  clusters_.close_idle();
  snapshot_.reset();
  clusters_.adopt(upstream::ClusterList({}));
}

void Worker::adopt(std::shared_ptr<const Snapshot> snapshot, Done done) {
  loop_.post([this, next = std::move(snapshot), then = std::move(done)]() mutable {
    adopt_now(std::move(next));
    if (then) then();
  });
}

void Worker::drain(Done empty) {
  loop_.post([this, then = std::move(empty)]() mutable { drain_now(std::move(then)); });
}

void Worker::stop() {
  loop_.post([this] { stop_now(); });
}

void Worker::adopt_now(std::shared_ptr<const Snapshot> snapshot) {
  detach_exchanges();
  clusters_.adopt(*snapshot->clusters);
  adopt_limits(*snapshot);
  shedder_.configure(snapshot->config->load_shedding);
  adopt_listeners(*snapshot);
  snapshot_ = std::move(snapshot);
}

// Exchanges under way keep the one route they need, so that an hour-long call does not keep
// 100,000.
void Worker::detach_exchanges() {
  exchanges_.for_each([this](Exchange& exchange) {
    if (!exchange.routed()) return;
    exchange.keep_route(snapshot_->routes->share(exchange.route_index()));
    if (exchange.grouped()) exchange.keep_group();
    if (exchange.owner() != nullptr) exchange.keep_owner(snapshot_->policies);
    exchange.keep_breaker(*snapshot_);
    if (exchange.cell() != nullptr) exchange.keep_cells(snapshot_->cells);
  });
}

void Worker::adopt_limits(const Snapshot& next) {
  if (!limits_) return;
  const auto& policies = next.policies;
  // Who was admitted by what goes keeps it as long as he needs it.
  const bool any = policies != nullptr && policies->limits != nullptr;
  limits_->checks.adopt(any ? policies->limits : std::make_shared<const policy::LimitSet>());
}

void Worker::deliver(policy::PlaceLetter letter) {
  loop_.post([this, taken = std::move(letter)]() mutable {
    limits_->desk.deliver(std::move(taken), loop_.clock().now());
  });
}

void Worker::adopt_listeners(const Snapshot& next) {
  auto use_of = [&](const WorkerListener& listener) {
    return std::find_if(next.listeners.begin(), next.listeners.end(), [&](const ListenerUse& use) {
      return use.shared.get() == &listener.shared();
    });
  };
  for (auto& listener : listeners_) {
    const auto use = use_of(*listener);
    if (use != next.listeners.end()) {
      listener->update(*use);
    } else {
      listener->stop_accepting();
      listener->drain_connections();
    }
  }
  for (const ListenerUse& use : next.listeners) {
    const bool known = std::any_of(listeners_.begin(), listeners_.end(), [&](const auto& listener) {
      return &listener->shared() == use.shared.get() && listener->accepting();
    });
    if (!known && !draining_) listeners_.push_back(std::make_unique<WorkerListener>(*this, use));
  }
  sweep_ = true;
}

void Worker::drain_now(Done empty) {
  draining_ = true;
  drained_.push_back(std::move(empty));
  for (auto& listener : listeners_) {
    listener->stop_accepting();
    listener->drain_connections();
  }
  sweep_ = true;
}

void Worker::stop_now() {
  draining_ = true;
  for (auto& listener : listeners_) {
    listener->stop_accepting();
    listener->kill_connections();
  }
  mirroring_.end_all(ErrorCode::kShuttingDown);
  sweep_ = true;
  loop_.stop();
}

void Worker::connection_closed() { sweep_ = draining_ || sweep_ || listeners_.size() > 1; }

void Worker::sweep_listeners() {
  sweep_ = false;
  std::erase_if(listeners_, [](const std::unique_ptr<WorkerListener>& listener) {
    return !listener->accepting() && listener->empty();
  });
  if (!draining_ || !listeners_.empty()) return;
  for (Done& empty : std::exchange(drained_, {})) empty();
}

void Worker::end_turn() {
  last_turn_ns_.store(loop_.now().time_since_epoch().count(), std::memory_order_relaxed);
  if (mirroring_.busy()) mirroring_.end_turn();
  if (sweep_) sweep_listeners();
  handshakes_took_ = {};
  measure_turn();
  if (shedder_.enabled()) measure_delay();
}

// A probe goes through the same queue as what clients send. An idle worker sends none: it would
// wake itself.
void Worker::measure_delay() {
  net::SocketSet& sockets = loop_.sockets();
  if (!sockets.probe_back()) return;
  if (probing_) {
    probing_ = false;
    const TimePoint now = loop_.clock().now();
    shedder_.on_delay(now - probe_sent_, now, loop_.wall());
    const auto ppm = static_cast<int64_t>(shedder_.share() * 1e6);
    stats_.shed_share_ppm.add(ppm - stats_.shed_share_ppm.value());
  }
  if (loop_.now() - probe_sent_ < policy::Shedder::kProbeInterval) return;
  if (stats_.exchanges_live.value() == 0 && !shedder_.watching()) return;
  probing_ = true;
  probe_sent_ = loop_.clock().now();
  sockets.send_probe();
}

// What one turn took is what every other connection waited.
void Worker::measure_turn() {
  const TimePoint begun = loop_.now();
  const int64_t took =
      std::chrono::duration_cast<std::chrono::microseconds>(loop_.clock().now() - begun).count();
  if (begun - turn_window_ > kTurnWindow) {
    turn_max_us_[1] = turn_max_us_[0];
    turn_max_us_[0] = 0;
    turn_window_ = begun;
  }
  turn_max_us_[0] = std::max(turn_max_us_[0], took);
  const int64_t longest = std::max(turn_max_us_[0], turn_max_us_[1]);
  stats_.turn_max_us.add(longest - stats_.turn_max_us.value());
}

// A loop that sleeps is alive too: it proves it by waking up. What it has charged and not told is
// told then.
void Worker::on_heartbeat() {
  loop_.arm(heartbeat_, kHeartbeat);
  meter_.push();
  if (++beats_to_trim_ == kBeatsToTrim) trim_pools();
  if (options_.memory != nullptr) options_.memory->settle(loop_.now());
}

Exchange* Worker::take_exchange(const Client& client) {
  base::Block* block = exchange_memory_.take(client.listener->account());
  auto* exchange = new (block->data()) Exchange(*this, client);
  exchanges_.push_back(*exchange);
  stats_.exchanges_live.add();
  return exchange;
}

void Worker::recycle_exchange(Exchange& exchange) {
  exchange.~Exchange();
  stats_.exchanges_live.sub();
  exchange_memory_.release(reinterpret_cast<base::Block*>(&exchange) - 1);
}

H2DownstreamStream* Worker::take_h2_stream(H2DownstreamConnection& connection) {
  base::Block* block = h2_stream_memory_.take(connection.listener().account());
  return new (block->data()) H2DownstreamStream(connection);
}

void Worker::recycle_h2_stream(H2DownstreamStream& stream) {
  stream.~H2DownstreamStream();
  h2_stream_memory_.release(reinterpret_cast<base::Block*>(&stream) - 1);
}

void Worker::log(const AccessRecord& record) {
  const AccessLogFormat& format = *snapshot_->access_log;
  if (options_.access_log == nullptr || !format.wants(record, rng_.next())) return;
  const size_t size = format.format(record, log_buffer_.get(), AccessLogFormat::kRoomEnough);
  if (size == 0 || !options_.access_log->write({log_buffer_.get(), size})) stats_.log_dropped.add();
}

}  // namespace weir::proxy
