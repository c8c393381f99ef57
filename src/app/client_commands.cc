// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <time.h>

#include <algorithm>
#include <cstdio>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "app/ask_weir.h"
#include "app/commands.h"
#include "app/exit_code.h"

namespace weir::app {
namespace {

using Json = nlohmann::json;

// Columns as wide as their widest cell; the first is text, the others are numbers.
class Table {
 public:
  explicit Table(std::vector<std::string> header) { rows_.push_back(std::move(header)); }
  void add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }
  std::string text() const {
    std::vector<size_t> widths(rows_.front().size());
    for (const auto& row : rows_) {
      for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
    }
    std::string out;
    for (const auto& row : rows_) {
      for (size_t i = 0; i < row.size(); ++i) {
        out += i == 0 ? fmt::format("{:<{}}", row[i], widths[i])
                      : fmt::format("  {:>{}}", row[i], widths[i]);
      }
      out += '\n';
    }
    return out;
  }
  bool empty() const { return rows_.size() == 1; }

 private:
  std::vector<std::vector<std::string>> rows_;
};

int64_t number(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_number() ? found->get<int64_t>() : 0;
}

std::string count(const Json& object, const char* key) {
  return std::to_string(number(object, key));
}

std::string bytes(int64_t n) {
  constexpr std::array<const char*, 5> kUnits{"B", "KiB", "MiB", "GiB", "TiB"};
  auto value = static_cast<double>(n);
  size_t unit = 0;
  for (; value >= 1024 && unit + 1 < kUnits.size(); ++unit) value /= 1024;
  return unit == 0 ? fmt::format("{} B", n) : fmt::format("{:.1f} {}", value, kUnits[unit]);
}

std::string duration(double seconds) {
  const auto s = static_cast<int64_t>(seconds);
  if (s < 60) return fmt::format("{} s", s);
  if (s < 3600) return fmt::format("{} min {} s", s / 60, s % 60);
  return fmt::format("{} h {} min", s / 3600, s / 60 % 60);
}

// p50 and p99 as upper bounds: the histogram knows powers of two.
std::string latency(const Json& object, const char* key, const char* quantile) {
  const auto found = object.find(key);
  if (found == object.end() || !found->is_object()) return "-";
  const int64_t us = number(*found, quantile);
  return us < 1000 ? fmt::format("<{} us", us) : fmt::format("<{:.1f} ms", double(us) / 1000);
}

// Growth of a counter since the last look, a second.
class Rates {
 public:
  void begin(double uptime) {
    elapsed_ = uptime - last_uptime_;
    last_uptime_ = uptime;
  }
  std::string rate(const std::string& name, int64_t now) {
    const auto found = last_.find(name);
    const bool known = found != last_.end() && elapsed_ > 0 && now >= found->second;
    const double per_second = known ? static_cast<double>(now - found->second) / elapsed_ : 0;
    last_[name] = now;
    return known ? fmt::format("{:.0f}", per_second) : "-";
  }

 private:
  double elapsed_ = 0;
  double last_uptime_ = 0;
  std::map<std::string, int64_t> last_;
};

std::string head_line(const Json& stats) {
  const Json& process = stats.at("process");
  const Json& config = stats.at("config");
  return fmt::format(
      "weir {}  up {}  {}  config version {}{}  memory {} ({} of {} in requests{})\n",
      process.at("version").get<std::string>(),
      duration(process.at("uptime_seconds").get<double>()),
      process.at("ready").get<bool>() ? "ready" : "NOT READY", count(config, "version"),
      config.at("last_reload_succeeded").get<bool>() ? "" : " (LAST RELOAD REFUSED)",
      bytes(number(process, "resident_bytes")), bytes(number(process, "accounted_bytes")),
      bytes(number(process.at("memory"), "budget_bytes")),
      number(process.at("memory"), "stage_percent") == 0 ? "" : ", SHORT");
}

// Nothing where the config has no region.
std::string region_line(const Json& stats) {
  const auto region = stats.find("region");
  if (region == stats.end()) return {};
  const std::string reason = region->at("reason").get<std::string>();
  return fmt::format(
      "region {}  {}, weight {}{}\n", region->at("name").get<std::string>(),
      region->at("in_answer").get<bool>() ? "in the answers of DNS" : "OUT OF THE ANSWERS OF DNS",
      count(*region, "weight"), reason.empty() ? "" : ": " + reason);
}

std::string listeners(const Json& stats, Rates* rates) {
  Table table({"LISTENER", "ADDRESS", "CONNECTIONS", "ACTIVE", rates ? "REQ/S" : "REQUESTS", "4XX",
               "5XX", "P50", "P99"});
  for (const Json& l : stats.at("listeners")) {
    const std::string name = l.at("name").get<std::string>();
    const Json& responses = l.at("responses");
    table.add({name, l.at("address").get<std::string>(), count(l, "connections"),
               count(l, "exchanges"),
               rates ? rates->rate("l/" + name, number(l, "requests")) : count(l, "requests"),
               count(responses, "4xx"), count(responses, "5xx"),
               latency(l, "duration", "p50_below_us"), latency(l, "duration", "p99_below_us")});
  }
  return table.empty() ? "" : "\n" + table.text();
}

std::string clusters(const Json& stats, Rates* rates) {
  Table table({"CLUSTER", "ACTIVE", "CONNECTIONS", rates ? "REQ/S" : "REQUESTS", "RETRIES", "5XX",
               "CONNECT FAILURES", "TIMEOUTS", "P50", "P99", "ENDPOINTS"});
  for (const Json& c : stats.at("clusters")) {
    const std::string name = c.at("name").get<std::string>();
    table.add({name, count(c, "active_requests"), count(c, "connections"),
               rates ? rates->rate("c/" + name, number(c, "requests")) : count(c, "requests"),
               count(c, "retries"), count(c.at("responses"), "5xx"), count(c, "connect_failures"),
               count(c, "timeouts"), latency(c, "response_time", "p50_below_us"),
               latency(c, "response_time", "p99_below_us"),
               count(c, "endpoints_eligible") + "/" + count(c, "endpoints")});
  }
  return table.empty() ? "" : "\n" + table.text();
}

// What its health has taken out, and why.
std::string endpoints_out(const Json& stats) {
  Table table({"ENDPOINT OUT", "CLUSTER", "HEALTH", "SINCE", "REASON"});
  for (const Json& c : stats.at("clusters")) {
    for (const Json& e : c.at("endpoints_out")) {
      table.add({e.at("address").get<std::string>(), c.at("name").get<std::string>(),
                 e.at("health").get<std::string>(),
                 duration(static_cast<double>(number(e, "since_ms")) / 1000),
                 e.at("reason").get<std::string>()});
    }
  }
  return table.empty() ? "" : "\n" + table.text();
}

std::string overrides(const Json& stats) {
  std::string out;
  for (const Json& each : stats.at("overrides")) {
    out += "\nSET BY HAND  " + each.at("line").get<std::string>();
  }
  return out.empty() ? out : out + "\n";
}

std::string workers(const Json& stats) {
  Table table({"WORKER", "EXCHANGES", "DOWNSTREAM", "UPSTREAM", "BYTES", "LAST TURN"});
  for (const Json& w : stats.at("workers")) {
    table.add({count(w, "index"), count(w, "exchanges"), count(w, "downstream_connections"),
               count(w, "upstream_connections"), bytes(number(w, "accounted_bytes")),
               count(w, "last_turn_age_ms") + " ms"});
  }
  return "\n" + table.text();
}

std::string failures(const Json& stats) {
  Table table({"FAILURE", "COUNT"});
  for (const auto& [reason, n] : stats.at("failures").items()) {
    table.add({reason, std::to_string(n.get<int64_t>())});
  }
  return table.empty() ? "" : "\n" + table.text();
}

// The answer if it is a 200; prints and fills `code` else.
std::optional<std::string> get_stats(const Options& options, int& code) {
  auto answer = ask_weir(options, "GET", "/stats", code);
  if (!answer) return std::nullopt;
  if (answer->status != 200) {
    code = complain("the answer is " + std::to_string(answer->status) + ": " + answer->body);
    return std::nullopt;
  }
  return std::move(answer->body);
}

}  // namespace

int run_reload(const Options& options) {
  int code = kExitOk;
  const auto answer = ask_weir(options, "POST", "/reload", code);
  if (!answer) return code;
  const Json json = Json::parse(answer->body, nullptr, false);
  if (!json.is_object() || !json.contains("applied")) {
    return complain("the answer is " + std::to_string(answer->status) + ": " + answer->body);
  }
  std::fputs(json.value("report", "").c_str(), stderr);
  const std::string message = json.value("message", "");
  if (!message.empty()) std::fprintf(stderr, "weir: %s\n", message.c_str());
  if (json.value("applied", false)) {
    std::printf("applied: config version %s is in force\n", count(json, "version").c_str());
    return kExitOk;
  }
  std::fprintf(stderr, "refused: nothing has changed, config version %s stays in force\n",
               count(json, "version").c_str());
  return kExitConfig;
}

int run_status(const Options& options) {
  int code = kExitOk;
  const auto body = get_stats(options, code);
  if (!body) return code;
  if (options.json) {
    std::fputs(body->c_str(), stdout);
    return kExitOk;
  }
  const Json stats = Json::parse(*body);
  const std::string text = head_line(stats) + region_line(stats) + listeners(stats, nullptr) +
                           clusters(stats, nullptr) + endpoints_out(stats) + overrides(stats) +
                           workers(stats) + failures(stats);
  std::fputs(text.c_str(), stdout);
  return kExitOk;
}

int run_top(const Options& options) {
  Rates rates;
  for (uint32_t round = 0; options.rounds == 0 || round < options.rounds; ++round) {
    if (round > 0) {
      const timespec pause{options.interval_ms / 1000,
                           long{options.interval_ms % 1000} * 1'000'000};
      nanosleep(&pause, nullptr);
    }
    int code = kExitOk;
    const auto body = get_stats(options, code);
    if (!body) return code;
    const Json stats = Json::parse(*body);
    rates.begin(stats.at("process").at("uptime_seconds").get<double>());
    // Home and clear: what is left of a longer page must not stay.
    const std::string text = "\x1b[H\x1b[2J" + head_line(stats) + region_line(stats) +
                             listeners(stats, &rates) + clusters(stats, &rates) +
                             endpoints_out(stats) + overrides(stats) + workers(stats) +
                             failures(stats);
    std::fputs(text.c_str(), stdout);
    std::fflush(stdout);
  }
  return kExitOk;
}

}  // namespace weir::app
