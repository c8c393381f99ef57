// SPDX-License-Identifier: Apache-2.0
#include "admin/router.h"

#include <array>
#include <utility>

#include "admin/breakers.h"
#include "admin/cells_page.h"
#include "admin/json.h"
#include "admin/metrics.h"
#include "admin/region_page.h"
#include "config/dump.h"
#include "http/status.h"
#include "route/order.h"

namespace weir::admin {
namespace {

constexpr const char* kText = "text/plain; charset=utf-8";
constexpr const char* kJson = "application/json";
constexpr const char* kYaml = "application/yaml";
// The format of Prometheus' text exposition.
constexpr const char* kMetricsText = "text/plain; version=0.0.4; charset=utf-8";

// A loop that has not turned for this long serves nobody: with nothing to do it turns twice a
// second.
constexpr double kStuckSeconds = 2.0;
// How long a scrape may hold the control loop in one go.
constexpr Duration kSlice{std::chrono::milliseconds(2)};

Response text(uint16_t status, std::string body) { return {status, kText, std::move(body), {}}; }

// A scrape on its way: steps until its slice is over, then lets the loop turn.
class Scrape {
 public:
  Scrape(Process& process, Router::Later later)
      : process_(process), page_(collect(process)), later_(std::move(later)) {}

  static void run(std::unique_ptr<Scrape> scrape) {
    const TimePoint until = scrape->process_.clock().now() + kSlice;
    while (scrape->page_.step()) {
      if (scrape->process_.clock().now() < until) continue;
      Process& process = scrape->process_;
      process.post([next = std::move(scrape)]() mutable { run(std::move(next)); });
      return;
    }
    scrape->later_({200, kMetricsText, scrape->page_.take(), {}});
  }

 private:
  Process& process_;
  MetricsPage page_;
  Router::Later later_;
};

}  // namespace

std::span<const Router::Page> Router::pages() {
  static constexpr auto kPages = std::to_array<Page>({
      {"/", Method::kGet, false, "this list", &Router::index},
      {"/healthz", Method::kGet, true, "200 while every worker's loop turns", &Router::healthz},
      {"/readyz", Method::kGet, true, "200 while new traffic is welcome", &Router::readyz},
      {"/region/health", Method::kGet, true,
       "200 while DNS should name this region, 503 and why not", &Router::region_health},
      {"/metrics", Method::kGet, true, "all counters, Prometheus text", &Router::metrics},
      {"/stats", Method::kGet, false, "all counters, JSON", &Router::stats},
      {"/clusters", Method::kGet, false, "clusters, endpoints, name look-ups, JSON",
       &Router::clusters},
      {"/failover_groups", Method::kGet, false, "who takes whose requests now, and why, JSON",
       &Router::failover_groups},
      {"/breakers", Method::kGet, false, "circuit breakers and what they saw, JSON",
       &Router::breakers},
      {"/cells", Method::kGet, false, "cells, their states, where requests were served, JSON",
       &Router::cells},
      {"/config", Method::kGet, false, "the config in force, secrets out; JSON, ?format=yaml",
       &Router::config},
      {"/routes", Method::kGet, false, "routes in the order in which they are tried",
       &Router::routes},
      {"/overrides", Method::kGet, false, "what is set by hand, JSON, ?format=yaml to make it last",
       &Router::overrides},
      {"/in_flight", Method::kGet, false, "requests at ?kind=cluster&name=NAME, JSON",
       &Router::in_flight},
      {"/diff", Method::kGet, false, "what runs against the config file; text, ?format=json",
       &Router::diff},
      {"/set", Method::kPost, false, "?kind=cluster&name=NAME&value=drain, and for=5m or keep=1",
       &Router::set},
      {"/reload", Method::kPost, false, "read the config file again; 200, or 422 and why not",
       &Router::reload},
      {"/drain", Method::kPost, false, "finish what is in flight, then end the process",
       &Router::drain},
  });
  return kPages;
}

std::optional<Response> Router::handle(const Request& request, Later later) {
  const Method method = request.method == Method::kHead ? Method::kGet : request.method;
  for (const Page& page : pages()) {
    if (page.path != request.path) continue;
    if (request.door == Door::kTcp && !page.over_tcp) return refuse_over_tcp(request);
    if (page.method != method) {
      const char* const allow = page.method == Method::kPost ? "POST" : "GET, HEAD";
      Response response = text(405, request.path + " takes " + allow + " only\n");
      response.allow = allow;
      return response;
    }
    return (this->*page.answer)(request, later);
  }
  return text(404, "there is no " + request.path + "; GET / lists what there is\n");
}

Response Router::refuse_over_tcp(const Request& request) const {
  const std::string socket = process_.admin_address();
  if (socket.empty()) {
    return text(403, request.path + " is served on the admin socket only, and that is off\n");
  }
  const std::string path = socket.substr(socket.find(':') + 1);
  return text(403, request.path + " is served on the admin socket only. Try: curl --unix-socket " +
                       path + " http://weir" + request.path + "\n");
}

Router::Answer Router::write_page(Process::Page page, const char* content_type, Later& later) {
  process_.write_page(std::move(page),
                      [content_type, reply = std::move(later)](std::string body) mutable {
                        reply({200, content_type, std::move(body), {}});
                      });
  return std::nullopt;
}

Router::Answer Router::index(const Request&, Later&) {
  std::string body = "weir " WEIR_VERSION "\n\n";
  for (const Page& page : pages()) {
    std::string line = page.method == Method::kPost ? "POST " : "GET  ";
    line += page.path;
    line.resize(std::max<size_t>(line.size(), 16), ' ');
    body += line + " " + std::string(page.about) + (page.over_tcp ? " (over TCP too)" : "") + "\n";
  }
  return text(200, std::move(body));
}

Router::Answer Router::metrics(const Request&, Later& later) {
  // Begun in the next turn: an answer never comes inside the call that asked for it.
  auto scrape = std::make_unique<Scrape>(process_, std::move(later));
  process_.post([begun = std::move(scrape)]() mutable { Scrape::run(std::move(begun)); });
  return std::nullopt;
}

Router::Answer Router::healthz(const Request&, Later&) {
  const int64_t now = process_.clock().now().time_since_epoch().count();
  for (const WorkerReading& worker : process_.workers()) {
    const double age = static_cast<double>(now - worker.last_turn_ns) / 1e9;
    if (age <= kStuckSeconds) continue;
    const auto tenths = static_cast<int64_t>(age * 10);
    return text(503, "worker " + std::to_string(worker.index) + " has not turned its loop for " +
                         std::to_string(tenths / 10) + "." + std::to_string(tenths % 10) + " s\n");
  }
  return text(200, "ok\n");
}

Router::Answer Router::readyz(const Request&, Later&) {
  const std::string why = process_.not_ready();
  return why.empty() ? text(200, "ready\n") : text(503, "not ready: " + why + "\n");
}

Router::Answer Router::region_health(const Request&, Later&) {
  const auto region = process_.region();
  if (!region) return text(404, "the config has no region\n");
  const uint16_t status = region->in_answer ? 200 : 503;
  return Response{status, kJson, region_json(*region, process_.clock()), {}};
}

Router::Answer Router::breakers(const Request&, Later& later) {
  const auto snapshot = process_.snapshot();
  if (!snapshot) return text(503, "no config is in force yet\n");
  auto totals = breaker_totals(*snapshot, process_.clock().now());
  return write_page(
      [shown = std::move(totals), set = process_.overrides()] { return breakers_json(shown, set); },
      kJson, later);
}

Router::Answer Router::config(const Request& request, Later& later) {
  const auto snapshot = process_.snapshot();
  if (!snapshot) return text(503, "no config is in force yet\n");
  const bool json = request.query != "format=yaml";
  const auto format = json ? config::DumpFormat::kJson : config::DumpFormat::kYaml;
  return write_page([shown = snapshot->config, format] { return config::dump(*shown, format); },
                    json ? kJson : kYaml, later);
}

Router::Answer Router::clusters(const Request&, Later& later) {
  return write_page([clusters = process_.clusters(),
                     set = process_.overrides()] { return clusters_json(clusters, set); },
                    kJson, later);
}

Router::Answer Router::failover_groups(const Request&, Later& later) {
  return write_page([groups = process_.failover_groups()] { return failover_json(groups); }, kJson,
                    later);
}

Router::Answer Router::cells(const Request&, Later& later) {
  const auto snapshot = process_.snapshot();
  if (!snapshot || !snapshot->cells) return text(404, "the config has no cells\n");
  return write_page([shown = snapshot->cells, returns = cell_returns(*snapshot),
                     set = process_.overrides()] { return cells_json(*shown, returns, set); },
                    kJson, later);
}

Router::Answer Router::stats(const Request&, Later& later) {
  return write_page([totals = collect(process_)] { return stats_json(totals); }, kJson, later);
}

Router::Answer Router::routes(const Request&, Later& later) {
  auto snapshot = process_.snapshot();
  if (!snapshot) return text(503, "no config is in force yet\n");
  // The page lets go of the snapshot before its text travels back: the last reference to one may
  // take a while to free, and that is this thread's business, not the control loop's.
  return write_page(
      [shown = std::move(snapshot)]() mutable {
        std::string page = route::print_order(*shown->routes);
        shown.reset();
        return page;
      },
      kText, later);
}

Router::Answer Router::reload(const Request&, Later& later) {
  process_.reload([reply = std::move(later)](ReloadOutcome outcome) mutable {
    const uint16_t status = outcome.applied ? 200 : 422;
    reply({status, kJson, reload_json(outcome), {}});
  });
  return std::nullopt;
}

Router::Answer Router::drain(const Request&, Later&) {
  process_.drain();
  const auto region = process_.region();
  if (region && region->serve_until > process_.clock().now()) {
    const auto left =
        std::chrono::ceil<std::chrono::seconds>(region->serve_until - process_.clock().now());
    return text(202, "leaving the answers of DNS: serves for " + std::to_string(left.count()) +
                         " s more, then requests in flight finish and the process ends\n");
  }
  return text(202, "draining: requests in flight finish, then the process ends\n");
}

}  // namespace weir::admin
