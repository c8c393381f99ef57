// SPDX-License-Identifier: Apache-2.0
#include "route/explain.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "base/account.h"
#include "base/arena.h"
#include "base/block.h"
#include "route/describe.h"
#include "route/path_index.h"

namespace weir::route {
namespace {

constexpr std::size_t kScratchBlock = 4096;

struct Scratch {
  base::Account account;
  base::BlockPool pool{kScratchBlock, 1};
  base::Arena arena{pool, account};
};

// A candidate with what decides its place in the order.
struct Standing {
  const Route* route = nullptr;
  PathIndex::HostKind host_kind = PathIndex::HostKind::kAny;
  std::uint32_t host_length = 0;
};

// Which of the rules puts `winner` before `other`.
std::string why_before(const Standing& winner, const Standing& other) {
  const std::string name = "route \"" + std::string(winner.route->name()) + "\"";
  if (winner.host_kind != other.host_kind || winner.host_length != other.host_length) {
    return name + " has the more specific host";
  }
  const PathMatch& a = winner.route->config().match.path;
  const PathMatch& b = other.route->config().match.path;
  if (a.kind != b.kind) {
    return name + " stands before it: exact before regex before prefix";
  }
  if (a.kind == PathMatch::Kind::kPrefix && a.value.size() != b.value.size()) {
    return name + " has the longer prefix";
  }
  if (winner.route->specificity() != other.route->specificity()) {
    return name + " has more conditions";
  }
  if (winner.route->config().priority != other.route->config().priority) {
    return name + " has the higher priority";
  }
  return name + " stands earlier in the file";
}

// Fills in the conditions that hold; returns the first that does not, in words.
std::string check_conditions(const Route& route, const RequestHead& head, base::Arena& arena,
                             std::vector<std::string>& holding) {
  if (!route.takes_method(head)) {
    return "method " + std::string(head.method_text) + " is not among " + route.methods().text();
  }
  if (!route.methods().any()) holding.push_back("method " + std::string(head.method_text));
  for (const Condition& condition : route.conditions()) {
    if (!condition.holds(head, arena)) return describe(condition) + " does not hold";
    holding.push_back(describe(condition));
  }
  return {};
}

std::string nearest(const Table& table, const RequestHead& head) {
  std::string text;
  table.paths().visit_hosts(head.host, [&](const PathIndex::Host& host) {
    if (!text.empty()) text += "; ";
    text += "routes for " + describe_host(table.paths(), host) + " have no path that takes " +
            std::string(head.path);
    return false;
  });
  if (text.empty()) text = "no route is for host " + std::string(head.host);
  return text;
}

}  // namespace

Explanation explain(const Table& table, const RequestHead& head) {
  Scratch scratch;
  Explanation result;
  Standing winner;
  table.paths().visit(head.host, head.path, [&](const PathIndex::Host& host, const Entry& entry) {
    const Route& route = table[entry.route];
    const Standing standing{&route, host.kind, host.length};
    Candidate candidate;
    candidate.index = entry.route;
    candidate.host_rule = "host " + describe_host(table.paths(), host);
    candidate.path_rule = "path " + describe_path(route.config().match.path);
    candidate.lost = check_conditions(route, head, scratch.arena, candidate.conditions);
    if (winner.route != nullptr) {
      candidate.lost = why_before(winner, standing);
    } else if (candidate.lost.empty()) {
      candidate.wins = true;
      winner = standing;
    }
    result.candidates.push_back(std::move(candidate));
    return false;
  });
  const Table::Match match = table.match(head, scratch.arena);
  result.route = match.route;
  result.reason = match.reason;
  result.allow = match.allow;
  if (result.candidates.empty()) result.nearest = nearest(table, head);
  return result;
}

std::string to_text(const Table& table, const Explanation& explanation) {
  std::string out;
  if (explanation.route != nullptr) {
    out += "route " + std::string(explanation.route->name()) + "\n";
  } else {
    out += "no route: " + std::string(error_info(explanation.reason).reason);
    if (!explanation.allow.empty()) out += " (allowed: " + explanation.allow + ")";
    out += "\n";
  }
  if (!explanation.nearest.empty()) out += "  " + explanation.nearest + "\n";
  int rank = 0;
  for (const Candidate& candidate : explanation.candidates) {
    out += "  " + std::to_string(++rank) + ". " + std::string(table[candidate.index].name());
    out += candidate.wins ? " (wins)\n" : "\n";
    out += "     " + candidate.host_rule + "\n     " + candidate.path_rule + "\n";
    for (const std::string& condition : candidate.conditions) out += "     " + condition + "\n";
    if (!candidate.lost.empty()) out += "     lost: " + candidate.lost + "\n";
  }
  return out;
}

}  // namespace weir::route
