// SPDX-License-Identifier: Apache-2.0
#include "route/overlap.h"

#include <algorithm>
#include <cstdint>
#include <string>
#include <unordered_map>

namespace weir::route {
namespace {

using Routes = std::vector<std::shared_ptr<const Route>>;

// All conditions but the methods, in one comparable text.
std::string conditions_key(const Route& route) {
  std::vector<std::string> parts;
  for (const Condition& condition : route.conditions()) {
    const ValueMatch& match = condition.config();
    std::string part{static_cast<char>('0' + static_cast<int>(condition.on())),
                     static_cast<char>('0' + static_cast<int>(match.kind))};
    part += match.name + '\0' + match.value + '\0';
    parts.push_back(std::move(part));
  }
  std::ranges::sort(parts);
  std::string key;
  for (const std::string& part : parts) key += part;
  if (route.path_pattern() != nullptr) key += route.path_pattern()->text();
  return key;
}

// What the routes of one path and the same conditions have taken so far, in order.
class Taken {
 public:
  // A route that takes all or, failing that, some of what `route` would take; null if something is
  // left for `route`.
  const Route* hides(const Route& route) const {
    if (contributors_.empty() || !methods_.covers(route.methods())) return nullptr;
    for (const Route* earlier : contributors_) {
      if (earlier->methods().covers(route.methods())) return earlier;
    }
    for (const Route* earlier : contributors_) {
      if ((earlier->methods().bits() & route.methods().bits()) != 0) return earlier;
    }
    return contributors_.front();
  }

  void add(const Route& route) {
    const MethodSet& methods = route.methods();
    if (methods_.covers(methods)) return;
    methods_.merge(methods);
    contributors_.push_back(&route);
  }

 private:
  MethodSet methods_ = MethodSet::none();
  std::vector<const Route*> contributors_;  // only those that took something new: a handful
};

class OverlapCheck {
 public:
  OverlapCheck(const Routes& routes, config::Diagnostics& diagnostics)
      : routes_(routes), diagnostics_(diagnostics), seen_(routes.size()) {}

  // `entry(i)` for i in [begin, end) are the routes of one path, in order.
  template <typename EntryAt>
  void list(std::uint32_t begin, std::uint32_t end, EntryAt entry_at) {
    std::unordered_map<std::string, Taken> groups;
    for (std::uint32_t i = begin; i < end; ++i) {
      const Route& route = *routes_[entry_at(i).route];
      Seen& seen = seen_[route.index()];
      ++seen.places;
      if (end - begin == 1) return;
      Taken& taken = groups[conditions_key(route)];
      if (const Route* by = taken.hides(route)) {
        ++seen.hidden;
        seen.by = by;
        if (by->methods() == route.methods() && by->config().priority == route.config().priority) {
          seen.twin = by;
        }
      }
      taken.add(route);
    }
  }

  bool report() {
    bool ok = true;
    for (std::size_t i = 0; i < routes_.size(); ++i) {
      const RouteConfig& config = routes_[i]->config();
      const std::string key = "routes." + config.name;
      if (seen_[i].twin != nullptr) {
        ok = false;
        diagnostics_.error(config.location, key,
                           {"the same match and priority as route " + quoted(*seen_[i].twin),
                            "change one of the matches, or give one of them a priority"});
      } else if (seen_[i].places != 0 && seen_[i].hidden == seen_[i].places) {
        diagnostics_.warning(
            config.location, key,
            {"no request can reach this route: route " + quoted(*seen_[i].by) + " comes before it",
             "weir explain --order prints the order"});
      }
    }
    return ok;
  }

 private:
  struct Seen {
    std::uint32_t places = 0;
    std::uint32_t hidden = 0;
    const Route* by = nullptr;
    const Route* twin = nullptr;
  };
  static std::string quoted(const Route& route) { return '"' + std::string(route.name()) + '"'; }

  const Routes& routes_;
  config::Diagnostics& diagnostics_;
  std::vector<Seen> seen_;
};

}  // namespace

bool check_overlaps(const Routes& routes, const PathIndex& paths,
                    config::Diagnostics& diagnostics) {
  OverlapCheck check(routes, diagnostics);
  const auto entry_at = [&](std::uint32_t i) -> const Entry& { return paths.entries()[i]; };
  for (const PathIndex::Node& node : paths.nodes()) {
    check.list(node.exact, node.below, entry_at);
    check.list(node.below, node.at, entry_at);
    check.list(node.at, node.end, entry_at);
  }
  const auto regex_at = [&](std::uint32_t i) -> const Entry& { return paths.regexes()[i].entry; };
  for (const PathIndex::Host& host : paths.hosts()) {
    check.list(host.regex_begin, host.regex_end, regex_at);
  }
  return check.report();
}

}  // namespace weir::route
