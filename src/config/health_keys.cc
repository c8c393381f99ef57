// SPDX-License-Identifier: Apache-2.0
// Keys of a cluster's health: checks, outlier detection, slow start.
#include <array>
#include <charconv>
#include <cmath>

#include "config/http_words.h"
#include "config/keys.h"
#include "config/lists.h"
#include "config/scalars.h"

namespace weir::config {

namespace {

constexpr std::uint32_t kMaxThreshold = 100;
constexpr std::uint32_t kMaxInARow = 1'000'000;
constexpr std::uint32_t kMaxFactor = 1'000;
constexpr std::uint16_t kFirstStatus = 200;
constexpr std::uint16_t kLastStatus = 599;

// ---- Statuses: "200", "200-399", "200,204,300-399".

std::optional<std::uint16_t> parse_status(std::string_view text) {
  std::uint16_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool whole = error == std::errc{} && end == text.data() + text.size();
  if (!whole || value < kFirstStatus || value > kLastStatus) return std::nullopt;
  return value;
}

std::optional<StatusRange> parse_range(std::string_view text) {
  const std::size_t dash = text.find('-');
  const auto from = parse_status(text.substr(0, dash));
  const auto to = dash == std::string_view::npos ? from : parse_status(text.substr(dash + 1));
  if (!from || !to || *from > *to) return std::nullopt;
  return StatusRange{*from, *to};
}

ScalarPtr<std::vector<StatusRange>> statuses() {
  using V = std::vector<StatusRange>;
  ScalarSpec<V> spec;
  spec.type = {"statuses", "200, 200-399, 200,204"};
  spec.parse = [](const std::string& text) -> Parsed<V> {
    V out;
    for (std::size_t at = 0; at <= text.size();) {
      const std::size_t comma = std::min(text.find(',', at), text.size());
      std::string_view part = std::string_view(text).substr(at, comma - at);
      while (part.starts_with(' ')) part.remove_prefix(1);
      while (part.ends_with(' ')) part.remove_suffix(1);
      const auto range = parse_range(part);
      if (!range) {
        return std::unexpected(Finding{"no statuses from 200 to 599",
                                       "write them and their ranges with commas: 200-299,404"});
      }
      out.push_back(*range);
      at = comma + 1;
    }
    return out;
  };
  spec.format = [](const V& ranges) {
    std::string text;
    for (const StatusRange& range : ranges) {
      if (!text.empty()) text += ',';
      text += std::to_string(range.from);
      if (range.to != range.from) text += '-' + std::to_string(range.to);
    }
    return text_scalar(std::move(text));
  };
  return scalar(std::move(spec));
}

// ---- Numbers with a fraction.

ScalarPtr<double> decimal(double min, double max) {
  ScalarSpec<double> spec;
  spec.type = {"decimal number", {}};
  spec.parse = [min, max](const std::string& text) -> Parsed<double> {
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size() || !std::isfinite(value)) {
      return std::unexpected(Finding{"not a number", "write one such as 1.0"});
    }
    if (value >= min && value <= max) return value;
    char range[64];
    std::snprintf(range, sizeof range, "it must be between %g and %g", min, max);
    return std::unexpected(Finding{"out of range", range});
  };
  spec.format = [](const double& value) {
    char text[32];
    const auto end = std::to_chars(text, text + sizeof text, value).ptr;
    std::string out(text, end);
    if (out.find('.') == std::string::npos) out += ".0";
    return Scalar{std::move(out), Scalar::Kind::kNumber};
  };
  return scalar(std::move(spec));
}

// ---- Checks.

// The path of a check may have a query: it goes on the wire as it stands.
ScalarPtr<std::string> check_path() {
  return checked_text("path", [](const std::string& text) -> Parsed<std::string> {
    if (!text.starts_with('/')) {
      return std::unexpected(Finding{"no path", "begin it with a slash: /health"});
    }
    for (const char c : text) {
      if (c > ' ' && c < 0x7f && c != '#') continue;
      return std::unexpected(
          Finding{"a path with a character that may not be in one", "escape it: %20 is a space"});
    }
    return text;
  });
}

CodecPtr<HttpCheckConfig> http_check_section() {
  using S = HttpCheckConfig;
  return section<S>({
      key("path", &S::path, check_path(), "What is asked for; a query may follow."),
      key("method", &S::method,
          enumeration<std::string>({{"GET", "GET"}, {"HEAD", "HEAD"}, {"OPTIONS", "OPTIONS"}}),
          "The method of the check."),
      key("expect", &S::expect, statuses(), "Statuses of an endpoint that works."),
      key("host", &S::host, word_or("auto", host_and_port()),
          "The host that is asked for; auto is the endpoint's configured name or address."),
      key("headers", &S::headers, header_values(), "Headers of the check.", KeyUse::kAlternative),
  });
}

CodecPtr<GrpcCheckConfig> grpc_check_section() {
  using S = GrpcCheckConfig;
  return section<S>({
      key("service", &S::service, text(),
          "The service that grpc.health.v1 is asked about; empty is the server as a whole."),
  });
}

void check_kind(Reader& reader, NodeId id, const HealthCheckConfig& check) {
  const int kinds = (check.http ? 1 : 0) + (check.tcp ? 1 : 0) + (check.grpc ? 1 : 0);
  if (kinds != 1) {
    reader.error(id, {kinds == 0 ? "a check that does not say how it is made"
                                 : "a check is made in one way only",
                      "write one of http: {path: /health}, tcp: {} or grpc: {}"});
  }
  if (check.timeout > check.interval) {
    const Reader::Step step(reader, "timeout");
    const NodeId at = reader.find(id, "timeout");
    reader.error(at != Document::kNone ? at : id,
                 {"longer than the interval, so that checks would overtake each other",
                  "lower timeout or raise interval"});
  }
}

void check_outlier(Reader& reader, NodeId id, const OutlierConfig& outlier) {
  if (outlier.max_ejection_time < outlier.base_ejection_time) {
    reader.error(id, {"`max_ejection_time` is shorter than `base_ejection_time`",
                      "raise max_ejection_time or lower base_ejection_time"});
  }
  const bool judges = outlier.consecutive_5xx > 0 || outlier.consecutive_connect_failures > 0 ||
                      outlier.failure_rate.ppm > 0 || outlier.latency_factor > 0;
  if (!judges) {
    reader.error(id, {"every rule is off, so that nothing is ever ejected",
                      "turn one of them on, or take outlier_detection out"});
  }
}

ScalarPtr<std::uint32_t> latency_factor() {
  ScalarSpec<std::uint32_t> spec = count<std::uint32_t>(0, kMaxFactor)->spec();
  spec.parse = [inner = std::move(spec.parse)](const std::string& text) -> Parsed<std::uint32_t> {
    auto value = inner(text);
    if (!value || *value != 1) return value;
    return std::unexpected(
        Finding{"a factor that half of all endpoints reach", "write at least 2, or 0 for off"});
  };
  return scalar(std::move(spec));
}

}  // namespace

CodecPtr<HealthCheckConfig> health_check_section() {
  using S = HealthCheckConfig;
  static const auto table = section<S>(
      {
          key("http", &S::http, optional(http_check_section()),
              "A request whose status tells; over HTTP/2 where the cluster speaks it.",
              KeyUse::kAlternative),
          key("tcp", &S::tcp, optional(section<TcpCheckConfig>({})),
              "A connection that comes about, with TLS where the cluster has it.",
              KeyUse::kAlternative),
          key("grpc", &S::grpc, optional(grpc_check_section()),
              "The gRPC health protocol (grpc.health.v1); needs protocol http2 or auto.",
              KeyUse::kAlternative),
          key("interval", &S::interval, duration(Zero::kRefused, Millis{10}),
              "Between two checks of an endpoint; a fifth of it while its state is about to "
              "change."),
          key("timeout", &S::timeout, duration(Zero::kRefused, Millis{1}),
              "Of a whole check, connection and TLS included."),
          key("healthy_threshold", &S::healthy_threshold, count<std::uint32_t>(1, kMaxThreshold),
              "Passes in a row that bring an endpoint back; at first one is enough."),
          key("unhealthy_threshold", &S::unhealthy_threshold,
              count<std::uint32_t>(1, kMaxThreshold),
              "Failures in a row that take it out; one is enough at first or if requests fail "
              "too."),
          key("jitter", &S::jitter, share(Share::percent(50)),
              "How far each wait strays from the interval, so that checks do not march in step."),
          key("initial_state", &S::initial_state,
              enumeration<InitialState>({{"auto", InitialState::kAuto},
                                         {"healthy", InitialState::kHealthy},
                                         {"unhealthy", InitialState::kUnhealthy}}),
              "Until the first check; auto is unhealthy for one that joins a serving cluster."),
      },
      check_kind);
  return table;
}

CodecPtr<OutlierConfig> outlier_section() {
  using S = OutlierConfig;
  static const auto table = section<S>(
      {
          key("consecutive_5xx", &S::consecutive_5xx, count<std::uint32_t>(0, kMaxInARow),
              "Failed attempts in a row (5xx, reset, timeout, no connection) that eject; 0 for "
              "off."),
          key("consecutive_connect_failures", &S::consecutive_connect_failures,
              count<std::uint32_t>(0, kMaxInARow),
              "Connections in a row that did not come about, that eject; 0 for off."),
          key("failure_rate", &S::failure_rate, share(),
              "Failures of a window that eject, if peers fail less than half as often; 0% is off."),
          key("latency_factor", &S::latency_factor, latency_factor(),
              "Ejects what is so many times slower than its peers, and slower than 100 ms; 0 is "
              "off."),
          key("minimum_requests", &S::minimum_requests, count<std::uint32_t>(1, kMaxInARow),
              "Attempts that an endpoint must have had in a window to be judged by it."),
          key("interval", &S::interval, duration(Zero::kRefused, Millis{10}), "The window."),
          key("base_ejection_time", &S::base_ejection_time, duration(Zero::kRefused),
              "How long an ejection lasts, times how often the endpoint was ejected lately."),
          key("max_ejection_time", &S::max_ejection_time, duration(Zero::kRefused),
              "The longest ejection."),
          key("min_available", &S::min_available, share(Share::percent(99)),
              "Ejections never leave fewer endpoints than this; failed checks are not held back."),
      },
      check_outlier);
  return table;
}

CodecPtr<SlowStartConfig> slow_start_section() {
  using S = SlowStartConfig;
  static const auto table = section<S>({
      key("window", &S::window, duration(Zero::kOff, Millis{1}, std::chrono::hours{1}),
          "How long it takes an endpoint to come to its whole weight; 0 is at once."),
      key("aggression", &S::aggression, decimal(0.1, 10.0),
          "1.0 grows evenly, more is faster at first: weight x (time/window)^(1/aggression)."),
      key("min_weight", &S::min_weight, share(), "The part of its weight that it begins with."),
  });
  return table;
}

void check_health(Reader& reader, NodeId id, const ClusterConfig& cluster) {
  if (!cluster.health_check || !cluster.health_check->grpc) return;
  if (cluster.protocol != UpstreamProtocol::kHttp1) return;
  const Reader::Step step(reader, "health_check");
  reader.error(reader.find(id, "health_check"),
               {"gRPC is spoken over HTTP/2, and this cluster speaks HTTP/1",
                "set protocol: http2, or check with http or tcp"});
}

}  // namespace weir::config
