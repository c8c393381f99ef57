// SPDX-License-Identifier: Apache-2.0
// What operators set by hand in a running weir, and how they wait for it.
#include <fmt/format.h>
#include <time.h>

#include <chrono>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "app/ask_weir.h"
#include "app/commands.h"
#include "app/exit_code.h"
#include "config/values.h"

namespace weir::app {
namespace {

using Json = nlohmann::json;
using Steady = std::chrono::steady_clock;

// Between two looks at what is in flight.
constexpr long kLookNs = 50'000'000;

std::string encoded(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '-' || c == '.' || c == '_';
    out += plain ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return out;
}

std::string named(const Options& options) {
  return "kind=" + encoded(options.kind) + "&name=" + encoded(options.name);
}

int refused(const AdminAnswer& answer) {
  std::fprintf(stderr, "weir: %s", answer.body.c_str());
  return kExitConfig;
}

// Prints the answer; an exit code.
int set_to(const Options& options, const std::string& value) {
  std::string target = "/set?" + named(options) + "&value=" + encoded(value);
  if (!options.how_long.empty()) target += "&for=" + encoded(options.how_long);
  if (options.keep) target += "&keep=1";
  int code = kExitOk;
  const auto answer = ask_weir(options, "POST", target, code);
  if (!answer) return code;
  if (answer->status != 200) return refused(*answer);
  std::fputs(answer->body.c_str(), stdout);
  // Whoever reads it through a pipe shall not wait for the end of the drain.
  std::fflush(stdout);
  return kExitOk;
}

std::optional<int64_t> in_flight(const Options& options, int& code) {
  const auto answer = ask_weir(options, "GET", "/in_flight?" + named(options), code);
  if (!answer) return std::nullopt;
  if (answer->status != 200) {
    code = refused(*answer);
    return std::nullopt;
  }
  const Json json = Json::parse(answer->body, nullptr, false);
  const auto count = json.is_object() ? json.find("in_flight") : json.end();
  if (count == json.end() || !count->is_number_integer()) {
    std::fputs("weir: the answer makes no sense; is this the admin socket of a weir?\n", stderr);
    code = kExitUnreachable;
    return std::nullopt;
  }
  return count->get<int64_t>();
}

// Until nothing is in flight, seen twice: a worker may just be taking what it had picked before.
int wait_until_empty(const Options& options, Millis patience) {
  const auto deadline = Steady::now() + patience;
  const std::string what = options.kind + " " + options.name;
  int64_t shown = -1;
  for (int zeros = 0; zeros < 2;) {
    int code = kExitOk;
    const auto left = in_flight(options, code);
    if (!left) return code;
    zeros = *left == 0 ? zeros + 1 : 0;
    if (*left != 0 && *left != shown) {
      std::printf("%s: %lld in flight\n", what.c_str(), static_cast<long long>(*left));
      std::fflush(stdout);
      shown = *left;
    }
    if (zeros < 2 && Steady::now() >= deadline) {
      std::fprintf(stderr, "weir: %s: %lld still in flight after %s; it goes on draining\n",
                   what.c_str(), static_cast<long long>(*left), options.timeout.c_str());
      return kExitInFlight;
    }
    const timespec pause{0, kLookNs};
    nanosleep(&pause, nullptr);
  }
  std::printf("%s: empty, nothing is in flight\n", what.c_str());
  return kExitOk;
}

int drain_weir(const Options& options) {
  int code = kExitOk;
  const auto answer = ask_weir(options, "POST", "/drain", code);
  if (!answer) return code;
  std::fputs(answer->body.c_str(), stdout);
  return answer->status < 300 ? kExitOk : kExitUnreachable;
}

}  // namespace

int run_set(const Options& options) {
  std::string value;
  for (const std::string& each : options.values) value += (value.empty() ? "" : " ") + each;
  return set_to(options, value);
}

int run_drain(const Options& options) {
  if (options.kind.empty()) return drain_weir(options);
  const auto patience = config::parse_duration(options.timeout);
  if (!patience) {
    std::fprintf(stderr, "weir: --timeout %s is no time; write it as 60s or 5m\n",
                 options.timeout.c_str());
    return kExitUsage;
  }
  const int code = set_to(options, options.kind == "cell" ? "drained" : "drain");
  if (code != kExitOk || !options.wait) return code;
  return wait_until_empty(options, *patience);
}

int run_overrides(const Options& options) {
  int code = kExitOk;
  const char* const target = options.yaml ? "/overrides?format=yaml" : "/overrides";
  const auto answer = ask_weir(options, "GET", target, code);
  if (!answer) return code;
  if (answer->status != 200) return refused(*answer);
  if (options.json || options.yaml) {
    std::fputs(answer->body.c_str(), stdout);
    return kExitOk;
  }
  const Json json = Json::parse(answer->body, nullptr, false);
  const Json list = json.is_object() ? json.value("overrides", Json::array()) : Json::array();
  if (list.empty()) std::puts("nothing is set by hand");
  for (const Json& each : list) std::puts(each.value("line", "").c_str());
  return kExitOk;
}

int run_diff_running(const Options& options) {
  int code = kExitOk;
  const char* const target = options.json ? "/diff?format=json" : "/diff";
  const auto answer = ask_weir(options, "GET", target, code);
  if (!answer) return kDiffTrouble;
  if (answer->status != 200) {
    std::fputs(answer->body.c_str(), stderr);
    return kDiffTrouble;
  }
  if (options.json) {
    std::fputs(answer->body.c_str(), stdout);
    const Json json = Json::parse(answer->body, nullptr, false);
    const bool same = json.is_object() && json["overrides"].empty() && json["changes"].empty();
    return same ? kDiffSame : kDiffChanges;
  }
  std::fputs(answer->body.empty() ? "no change\n" : answer->body.c_str(), stdout);
  return answer->body.empty() ? kDiffSame : kDiffChanges;
}

}  // namespace weir::app
