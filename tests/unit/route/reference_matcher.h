// SPDX-License-Identifier: Apache-2.0
// Routing without a data structure: every route at every host, sorted by the rules as they are
// written down in route/table.h, and the first that takes the request. What Table must agree with.
// Also a maker of small tables and requests from bytes, random or a fuzzer's.
#pragma once

#include <weir/config.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "route/pattern.h"
#include "route_fixture.h"

namespace weir::route {

struct ReferenceRow {
  std::string host;
  const RouteConfig* route;
  std::size_t index;
};

inline bool reference_host(const std::string& rule, std::string_view host) {
  if (rule == "*") return true;
  if (!rule.starts_with("*.")) return rule == host;
  const std::string_view suffix = std::string_view(rule).substr(1);
  return host.size() > suffix.size() && host.ends_with(suffix);
}

/// Compiled once: a fuzzer asks for the same few a million times.
inline const Pattern& reference_pattern(const std::string& text) {
  static std::map<std::string, Pattern> known;
  auto at = known.find(text);
  if (at == known.end()) at = known.emplace(text, std::move(*Pattern::compile(text))).first;
  return at->second;
}

inline bool reference_path(const PathMatch& rule, std::string_view path) {
  if (rule.kind == PathMatch::Kind::kRegex) return reference_pattern(rule.value).matches(path);
  if (path == rule.value) return true;
  if (rule.kind == PathMatch::Kind::kExact) return false;
  return path.starts_with(rule.value.ends_with('/') ? rule.value : rule.value + "/");
}

inline bool reference_value(const ValueMatch& rule, std::string_view value) {
  if (rule.kind == ValueMatch::Kind::kPresent) return true;
  if (rule.kind == ValueMatch::Kind::kExact) return value == rule.value;
  if (rule.kind == ValueMatch::Kind::kPrefix) return value.starts_with(rule.value);
  return reference_pattern(rule.value).matches(value);
}

inline bool reference_conditions(const RouteMatch& match, const RequestHead& head) {
  for (const ValueMatch& rule : match.headers) {
    const bool any = std::ranges::any_of(head.headers, [&](const Header& header) {
      return http::iequals(header.name, rule.name) && reference_value(rule, header.value);
    });
    if (!any) return false;
  }
  for (const ValueMatch& rule : match.query) {
    bool any = false;
    for (std::size_t at = 0; at <= head.query.size();) {
      const std::size_t end = std::min(head.query.find('&', at), head.query.size());
      const std::string_view piece = head.query.substr(at, end - at);
      const std::size_t equals = std::min(piece.find('='), piece.size());
      const std::string_view value =
          equals < piece.size() ? piece.substr(equals + 1) : std::string_view{};
      any = any || (piece.substr(0, equals) == rule.name && reference_value(rule, value));
      at = end + 1;
    }
    if (!any) return false;
  }
  return true;
}

inline std::vector<ReferenceRow> reference_rows(const std::vector<RouteConfig>& routes) {
  std::vector<ReferenceRow> rows;
  for (std::size_t i = 0; i < routes.size(); ++i) {
    for (const std::string& host : routes[i].match.hosts) rows.push_back({host, &routes[i], i});
    if (routes[i].match.hosts.empty()) rows.push_back({"*", &routes[i], i});
  }
  const auto key = [](const ReferenceRow& row) {
    const RouteMatch& match = row.route->match;
    const bool prefix = match.path.kind == PathMatch::Kind::kPrefix;
    const int host_class = row.host == "*" ? 2 : row.host.starts_with("*.") ? 1 : 0;
    const int path_class = prefix ? 2 : match.path.kind == PathMatch::Kind::kRegex ? 1 : 0;
    const auto conditions =
        match.headers.size() + match.query.size() + (match.methods.empty() ? 0U : 1U);
    return std::tuple(host_class, -static_cast<long>(row.host.size()), path_class,
                      prefix ? -static_cast<long>(match.path.value.size()) : 0L,
                      -static_cast<long>(conditions), -static_cast<long>(row.route->priority),
                      row.index);
  };
  std::ranges::sort(rows, {}, key);
  return rows;
}

/// The name of the winner, "404", or "405" and the sorted methods.
inline std::string reference_match(const std::vector<ReferenceRow>& rows, const RequestHead& head) {
  std::set<std::string> allowed;
  for (const ReferenceRow& row : rows) {
    const RouteMatch& match = row.route->match;
    if (!reference_host(row.host, head.host) || !reference_path(match.path, head.path)) continue;
    if (!reference_conditions(match, head)) continue;
    const bool method = match.methods.empty() ||
                        std::ranges::find(match.methods, head.method_text) != match.methods.end();
    if (method) return row.route->name;
    allowed.insert(match.methods.begin(), match.methods.end());
  }
  std::string text = allowed.empty() ? "404" : "405";
  for (const std::string& name : allowed) text += " " + name;
  return text;
}

/// The same words for what the table says.
inline std::string table_match(const Table& table, const RequestHead& head) {
  TestArena scratch;
  const Table::Match match = table.match(head, scratch.arena);
  if (match.route != nullptr) return std::string(match.route->name());
  std::set<std::string> allowed;
  std::string name;
  for (const char c : std::string(match.allow) + ",") {
    if (c == ' ') continue;
    if (c != ',') {
      name += c;
    } else if (!name.empty()) {
      allowed.insert(std::exchange(name, {}));
    }
  }
  std::string text = match.reason == ErrorCode::kNoRoute ? "404" : "405";
  for (const std::string& method : allowed) text += " " + method;
  return text;
}

/// Choices read from bytes; when they are used up, always the first one.
class Choices {
 public:
  explicit Choices(std::span<const std::uint8_t> bytes) : bytes_(bytes) {}
  bool empty() const { return bytes_.empty(); }
  std::size_t below(std::size_t bound) {
    if (bytes_.empty()) return 0;
    const std::size_t value = bytes_[0] % bound;
    bytes_ = bytes_.subspan(1);
    return value;
  }
  template <std::size_t N>
  std::string of(const char* const (&words)[N]) {
    return words[below(N)];
  }

 private:
  std::span<const std::uint8_t> bytes_;
};

inline ValueMatch random_condition(Choices& choices, const char* name) {
  constexpr const char* kValues[] = {"1", "12", "2", ""};
  constexpr const char* kRegexes[] = {"1.*", "[0-9]", ".*"};
  const auto kind = static_cast<ValueMatch::Kind>(choices.below(4));
  if (kind == ValueMatch::Kind::kRegex) return {name, kind, choices.of(kRegexes), {}};
  return {name, kind, kind == ValueMatch::Kind::kPresent ? "" : choices.of(kValues), {}};
}

inline PathMatch random_path(Choices& choices) {
  constexpr const char* kSegments[] = {"a", "b", "ab", "a.b"};
  constexpr const char* kRegexes[] = {"/a.*", "/[ab]/b", ".*", "(?i)/AB/?", "/(a|b|/)*"};
  PathMatch path;
  path.kind = static_cast<PathMatch::Kind>(choices.below(3));
  if (path.kind == PathMatch::Kind::kRegex) {
    path.value = choices.of(kRegexes);
    return path;
  }
  path.value.clear();
  for (std::size_t n = choices.below(4); n > 0; --n) path.value += "/" + choices.of(kSegments);
  if (path.value.empty() || choices.below(3) == 0) path.value += "/";
  return path;
}

inline RouteConfig random_route(Choices& choices) {
  constexpr const char* kHosts[] = {"a.x", "b.a.x", "c.b.a.x", "x", "*.x", "*.a.x", "*.b.a.x", "*"};
  constexpr const char* kMethods[] = {"GET", "POST", "PURGE", "FROB"};
  RouteConfig route;
  route.target = ClusterTarget{"origin"};
  for (std::size_t n = choices.below(4); n > 0; --n) {
    route.match.hosts.push_back(choices.of(kHosts));
  }
  route.match.path = random_path(choices);
  if (choices.below(3) == 0) {
    for (std::size_t n = choices.below(4); n > 0; --n) {
      route.match.methods.push_back(choices.of(kMethods));
    }
  }
  if (choices.below(4) == 0) route.match.headers.push_back(random_condition(choices, "x-a"));
  if (choices.below(6) == 0) route.match.headers.push_back(random_condition(choices, "accept"));
  if (choices.below(4) == 0) route.match.query.push_back(random_condition(choices, "q"));
  route.priority = static_cast<std::int32_t>(choices.below(3)) - 1;
  return route;
}

inline std::vector<RouteConfig> random_routes(Choices& choices, std::size_t count) {
  std::vector<RouteConfig> routes;
  for (std::size_t i = 0; i < count; ++i) {
    routes.push_back(random_route(choices));
    routes.back().name = "r" + std::to_string(i);
  }
  return routes;
}

inline TestRequest random_request(Choices& choices) {
  constexpr const char* kMethods[] = {"GET", "POST", "PURGE", "FROB", "HEAD"};
  constexpr const char* kHosts[] = {"a.x", "b.a.x", "c.b.a.x", "d.c.b.a.x", "x",   "y",
                                    "y.x", ".x",    "",        ".",         "a.x."};
  constexpr const char* kSegments[] = {"a", "b", "ab", "a.b", "", "abc"};
  constexpr const char* kQueries[] = {"", "q=1", "q=12&q=2", "p=1&q", "q=3"};
  constexpr const char* kValues[] = {"1", "12", "2", "", "x"};
  std::string path;
  for (std::size_t n = choices.below(5); n > 0; --n) path += "/" + choices.of(kSegments);
  if (path.empty()) path = choices.below(20) == 1 ? "*" : "/";
  TestRequest request(choices.of(kMethods), choices.of(kHosts), path, choices.of(kQueries));
  for (std::size_t n = choices.below(3); n > 0; --n) request.header("X-A", choices.of(kValues));
  if (choices.below(3) == 0) request.header("accept", choices.of(kValues));
  return request;
}

/// The table of these routes, and the routes themselves as they were compiled: where two cannot be
/// told apart, all get priorities of their own.
inline std::unique_ptr<const Table> compile_apart(std::vector<RouteConfig>& routes) {
  if (auto table = compile(routes)) return table;
  for (std::size_t i = 0; i < routes.size(); ++i) {
    routes[i].priority = static_cast<std::int32_t>((i * 7919) % 100'003);
  }
  return compile(routes);
}

}  // namespace weir::route
