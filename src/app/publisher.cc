// SPDX-License-Identifier: Apache-2.0
#include "app/publisher.h"

#include <utility>

#include "base/check.h"

namespace weir::app {

std::expected<void, std::string> Publisher::publish(Compiled compiled, Done done) {
  CHECK(waiting_for_ == 0);
  auto set = parts_.listeners.prepare(*compiled.config);
  if (!set) {
    parts_.config_thread.free_later(std::make_unique<Compiled>(std::move(compiled)));
    return std::unexpected(std::move(set.error()));
  }

  auto next = std::make_shared<proxy::Snapshot>();
  next->version = version() + 1;
  next->config = std::move(compiled.config);
  next->routes = std::move(compiled.routes);
  next->access_log = std::move(compiled.access_log);
  next->policies = std::move(compiled.policies);
  if (compiled.cells) compiled.cells->join(parts_.cells);
  next->cells = std::move(compiled.cells);
  if (compiled.releases) compiled.releases->join(parts_.releases);
  next->releases = std::move(compiled.releases);
  next->targets = std::move(compiled.targets);
  next->clusters = parts_.clusters.apply(next->config->clusters, compiled.tls.clusters);
  next->failover = parts_.failover.apply(*next->config, *next->clusters);
  next->breakers = breakers_of(*next->config);
  for (size_t i = 0; i < set->size(); ++i) {
    next->listeners.push_back(
        {(*set)[i].shared, next->config->listeners[i], std::move(compiled.tls.listeners[i])});
  }
  parts_.listeners.commit(std::move(*set), *next->config);

  parts_.memory.apply(next->config->memory);

  leaving_ = std::exchange(current_, next);
  parts_.breaker_watch.watch(next);
  parts_.region_watch.watch(next);
  parts_.cell_failback.watch(next);
  parts_.overrides.published(next);
  done_ = std::move(done);
  waiting_for_ = parts_.workers.size();
  for (const auto& worker : parts_.workers) {
    worker->adopt(next, [this] { parts_.loop.post([this] { on_worker_adopted(); }); });
  }
  return {};
}

std::vector<std::shared_ptr<policy::ClusterBreakers>> Publisher::breakers_of(const Config& config) {
  std::vector<std::shared_ptr<policy::ClusterBreakers>> out;
  for (size_t i = 0; i < config.clusters.size(); ++i) {
    if (!config.clusters[i].circuit_breaker) continue;
    out.resize(config.clusters.size());
    out[i] = breakers_.state(config.clusters[i].name);
  }
  return out;
}

void Publisher::on_worker_adopted() {
  if (--waiting_for_ > 0) return;
  parts_.listeners.close_retired();
  parts_.listeners.announce();
  if (leaving_) parts_.config_thread.free_later(std::move(leaving_));
  std::exchange(done_, nullptr)();
}

}  // namespace weir::app
