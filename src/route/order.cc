// SPDX-License-Identifier: Apache-2.0
#include "route/order.h"

#include <algorithm>
#include <array>
#include <functional>
#include <string_view>
#include <tuple>
#include <utility>

#include "route/describe.h"
#include "route/path_index.h"

namespace weir::route {
namespace {

struct Place {
  const PathIndex::Host* host;
  std::uint32_t host_rank;
  std::uint32_t in_list;  // the index's own order among routes of one path
  const Route* route;
};

// Hosts as they are tried; those that exclude each other by name.
std::vector<std::uint32_t> host_ranks(const PathIndex& paths) {
  const auto& hosts = paths.hosts();
  std::vector<std::uint32_t> ids(hosts.size());
  for (std::uint32_t i = 0; i < ids.size(); ++i) ids[i] = i;
  std::ranges::sort(ids, {}, [&](std::uint32_t id) {
    const PathIndex::Host& host = hosts[id];
    const bool by_length = host.kind == PathIndex::HostKind::kWildcard;
    return std::tuple(host.kind, by_length ? UINT32_MAX - host.length : 0U, paths.text(host));
  });
  std::vector<std::uint32_t> ranks(ids.size());
  for (std::uint32_t rank = 0; rank < ids.size(); ++rank) ranks[ids[rank]] = rank;
  return ranks;
}

std::vector<Place> places(const Table& table) {
  const PathIndex& paths = table.paths();
  const std::vector<std::uint32_t> ranks = host_ranks(paths);
  // A node is made after its parent, so one pass upwards hands every node its host.
  std::vector<std::uint32_t> host_of(paths.nodes().size());
  for (std::uint32_t i = 0; i < paths.hosts().size(); ++i) host_of[paths.hosts()[i].root] = i;
  std::vector<Place> all;
  const auto add = [&](std::uint32_t host, std::uint32_t in_list, const Entry& entry) {
    all.push_back({&paths.hosts()[host], ranks[host], in_list, &table[entry.route]});
  };
  for (std::uint32_t id = 0; id < paths.nodes().size(); ++id) {
    const PathIndex::Node& node = paths.nodes()[id];
    if (node.parent != PathIndex::kNone) host_of[id] = host_of[node.parent];
    for (std::uint32_t i = node.exact; i < node.end; ++i) add(host_of[id], i, paths.entries()[i]);
  }
  for (std::uint32_t host = 0; host < paths.hosts().size(); ++host) {
    const PathIndex::Host& regexes = paths.hosts()[host];
    for (std::uint32_t i = regexes.regex_begin; i < regexes.regex_end; ++i) {
      add(host, i, paths.regexes()[i].entry);
    }
  }
  return all;
}

// Exact, regex, prefix; longer prefixes first; routes of one path together, and regexes as they are
// tried.
auto sort_key(const Place& place) {
  const PathMatch& path = place.route->config().match.path;
  constexpr std::array<int, 3> kClass = {0, 2, 1};  // kExact, kPrefix, kRegex
  const bool prefix = path.kind == PathMatch::Kind::kPrefix;
  const bool regex = path.kind == PathMatch::Kind::kRegex;
  return std::tuple(place.host_rank, kClass[static_cast<std::size_t>(path.kind)],
                    prefix ? SIZE_MAX - path.value.size() : std::size_t{0},
                    regex ? std::string_view{} : std::string_view{path.value}, place.in_list);
}

std::string conditions_of(const Route& route) {
  std::string text = route.methods().text();
  for (const Condition& condition : route.conditions()) {
    if (!text.empty()) text += ", ";
    text += describe(condition);
  }
  return text;
}

}  // namespace

std::vector<OrderRow> order(const Table& table) {
  std::vector<Place> all = places(table);
  std::ranges::sort(all, {}, sort_key);
  std::vector<OrderRow> rows;
  rows.reserve(all.size());
  for (const Place& place : all) {
    rows.push_back({place.route->index(), host_name(table.paths(), *place.host),
                    describe_path(place.route->config().match.path), conditions_of(*place.route),
                    place.route->config().priority});
  }
  return rows;
}

std::string print_order(const Table& table) {
  constexpr std::size_t kColumns = 6;
  std::vector<std::array<std::string, kColumns>> lines = {
      {"#", "host", "path", "conditions", "priority", "route"}};
  for (const OrderRow& row : order(table)) {
    lines.push_back({std::to_string(lines.size()), row.host, row.path, row.conditions,
                     std::to_string(row.priority), std::string(table[row.index].name())});
  }
  std::array<std::size_t, kColumns> widths{};
  for (const auto& line : lines) {
    for (std::size_t i = 0; i < kColumns; ++i) widths[i] = std::max(widths[i], line[i].size());
  }
  std::string out;
  for (const auto& line : lines) {
    for (std::size_t i = 0; i < kColumns; ++i) {
      out += line[i];
      out += i + 1 == kColumns ? "\n" : std::string(widths[i] - line[i].size() + 2, ' ');
    }
  }
  return out;
}

}  // namespace weir::route
