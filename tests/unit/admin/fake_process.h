// SPDX-License-Identifier: Apache-2.0
// A process for the admin pages to look at, made of plain values. What the pages post waits in
// `tasks` until run() - a turn of the control loop.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "admin/process.h"
#include "config/load.h"

namespace weir::admin {

class FakeProcess : public Process {
 public:
  explicit FakeProcess(const std::string& yaml = kYaml) {
    auto loaded = config::load_text(yaml, "weir.yaml");
    auto made = std::make_shared<proxy::Snapshot>();
    made->version = 1;
    made->config = std::make_shared<const Config>(std::move(loaded.value().config));
    config::Diagnostics diagnostics;
    made->routes = route::Table::compile(made->config->routes, diagnostics);
    made->clusters = std::make_shared<const upstream::ClusterList>(
        std::vector<std::shared_ptr<upstream::Cluster>>());
    auto listener = std::make_shared<proxy::SharedListener>();
    listener->name = "edge";
    listener->address.text = "127.0.0.1:8080";
    listener->stats.push_back(std::make_unique<proxy::ListenerStats>());
    listener->stats.push_back(std::make_unique<proxy::ListenerStats>());
    made->listeners.push_back({std::move(listener), {}});
    current = std::move(made);
    for (uint32_t i = 0; i < 2; ++i) {
      stats.push_back(std::make_unique<proxy::WorkerStats>());
      last_turns.push_back(fake_clock.now().time_since_epoch().count());
    }
  }

  const Clock& clock() const override { return fake_clock; }
  TimePoint started() const override { return begun; }
  std::shared_ptr<const proxy::Snapshot> snapshot() const override { return current; }
  std::vector<upstream::ClusterSnapshot> clusters() const override { return cluster_list; }
  std::vector<upstream::FailoverGroupSnapshot> failover_groups() const override {
    return group_list;
  }
  std::vector<WorkerReading> workers() const override {
    std::vector<WorkerReading> out;
    for (uint32_t i = 0; i < stats.size(); ++i) {
      out.push_back({i, last_turns[i], 1000, stats[i].get()});
    }
    return out;
  }
  ReloadTotals reloads() const override { return reload_totals; }
  LogTotals log() const override { return {}; }
  MemoryTotals memory() const override { return {1 << 20, 2000, 8192, {}, {}}; }
  std::string not_ready() const override { return why_not_ready; }
  std::optional<upstream::RegionReading> region() const override { return region_reading; }
  std::string admin_address() const override { return "unix:/run/weir/admin.sock"; }
  std::vector<OverrideRow> overrides() const override { return override_list; }
  SetAnswer set(const SetRequest& request) override {
    set_requests.push_back(request);
    return set_answer;
  }
  std::expected<uint64_t, SetAnswer> in_flight(std::string_view, std::string_view) const override {
    return 3;
  }
  void diff(bool, DiffDone done) override {
    tasks.push_back([reply = std::move(done)]() mutable { reply({true, "no change\n"}); });
  }
  void reload(ReloadDone done) override {
    tasks.push_back([this, reply = std::move(done)]() mutable { reply(outcome); });
  }
  void drain() override { ++drains; }
  void post(Task task) override { tasks.push_back(std::move(task)); }
  void write_page(Page page, PageDone done) override {
    tasks.push_back([work = std::move(page), reply = std::move(done)]() mutable { reply(work()); });
  }

  /// One turn; false if there was nothing to do.
  bool run() {
    for (Task& task : std::exchange(tasks, {})) task();
    return !tasks.empty();
  }

  static constexpr const char* kYaml =
      "listeners: {edge: {address: '127.0.0.1:8080'}}\n"
      "clusters: {blue: {endpoints: [{address: '127.0.0.1:9001'}]}}\n"
      "routes:\n"
      "  - {name: all, target: {cluster: blue}, headers: {request: {set: {authorization: top}}}}\n";

  FakeClock fake_clock;
  TimePoint begun = fake_clock.now();
  std::shared_ptr<const proxy::Snapshot> current;
  std::vector<upstream::ClusterSnapshot> cluster_list;
  std::vector<upstream::FailoverGroupSnapshot> group_list;
  std::vector<std::unique_ptr<proxy::WorkerStats>> stats;
  std::vector<int64_t> last_turns;
  ReloadTotals reload_totals;
  ReloadOutcome outcome;
  std::vector<OverrideRow> override_list;
  std::vector<SetRequest> set_requests;
  SetAnswer set_answer;
  std::string why_not_ready;
  std::optional<upstream::RegionReading> region_reading;
  int drains = 0;
  std::vector<Task> tasks;
};

}  // namespace weir::admin
