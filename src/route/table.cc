// SPDX-License-Identifier: Apache-2.0
#include "route/table.h"

#include <algorithm>
#include <random>
#include <string>
#include <utility>

#include "route/overlap.h"
#include "route/path_index.h"
#include "route/path_index_builder.h"

namespace weir::route {
namespace {

std::uint64_t random_seed() {
  std::random_device device;
  return (std::uint64_t{device()} << 32) | device();
}

// The third and fourth rule of the order; the index knows the first two.
bool goes_before(const Route& a, const Route& b) {
  if (a.specificity() != b.specificity()) return a.specificity() > b.specificity();
  if (a.config().priority != b.config().priority) return a.config().priority > b.config().priority;
  return a.index() < b.index();
}

}  // namespace

Table::Table() = default;
Table::~Table() = default;

std::unique_ptr<const Table> Table::compile(const std::vector<RouteConfig>& routes,
                                            config::Diagnostics& diagnostics) {
  std::unique_ptr<Table> table(new Table);
  table->routes_.reserve(routes.size());
  bool ok = true;
  for (const RouteConfig& config : routes) {
    const auto index = static_cast<std::uint32_t>(table->routes_.size());
    table->routes_.push_back(Route::compile(config, index, diagnostics));
    ok = ok && table->routes_.back() != nullptr;
  }
  if (!ok) return nullptr;

  std::vector<const Route*> ordered;
  ordered.reserve(routes.size());
  for (const auto& route : table->routes_) ordered.push_back(route.get());
  std::ranges::sort(ordered, [](const Route* a, const Route* b) { return goes_before(*a, *b); });
  PathIndexBuilder builder(random_seed());
  for (const Route* route : ordered) builder.add(*route);
  table->paths_ = builder.finish();
  if (!check_overlaps(table->routes_, *table->paths_, diagnostics)) return nullptr;
  return table;
}

Table::Match Table::match(const RequestHead& head, base::Arena& arena) const {
  const std::uint16_t method = MethodSet::bit(head.method);
  Match found;
  bool method_refused = false;
  paths_->visit(head.host, head.path, [&](const PathIndex::Host&, const Entry& entry) {
    const Route& route = *routes_[entry.route];
    if ((entry.methods & method) == 0 &&
        ((entry.flags & Entry::kOtherMethods) == 0 || !route.takes_method(head))) {
      method_refused = true;
      return false;
    }
    if ((entry.flags & Entry::kConditions) != 0 && !route.conditions_hold(head, arena)) {
      return false;
    }
    found.route = &route;
    found.index = entry.route;
    return true;
  });
  if (method_refused && found.route == nullptr) refuse_method(head, arena, found);
  return found;
}

void Table::refuse_method(const RequestHead& head, base::Arena& arena, Match& found) const {
  MethodSet allowed = MethodSet::none();
  bool any = false;
  paths_->visit(head.host, head.path, [&](const PathIndex::Host&, const Entry& entry) {
    const Route& route = *routes_[entry.route];
    if (route.takes_method(head) || !route.conditions_hold(head, arena)) return false;
    any = true;
    allowed.merge(route.methods());
    return false;
  });
  if (!any) return;
  found.reason = ErrorCode::kMethodNotAllowed;
  found.allow = arena.copy(allowed.text());
}

std::size_t Table::index_bytes() const {
  return sizeof(*this) + paths_->bytes() +
         routes_.capacity() * sizeof(std::shared_ptr<const Route>);
}

}  // namespace weir::route
