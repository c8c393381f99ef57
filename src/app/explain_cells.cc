// SPDX-License-Identifier: Apache-2.0
#include "app/explain_cells.h"

#include <algorithm>
#include <ctime>
#include <variant>
#include <vector>

#include "http/header_id.h"

namespace weir::app {
namespace {

constexpr std::string_view kClient = "127.0.0.1";

std::string_view tag_in(const RequestHead& head, std::string_view name) {
  for (const Header& header : head.headers) {
    if (http::iequals(header.name, name)) return header.value;
  }
  return {};
}

// What the tag says; kNone and why it does not count in `why`.
uint32_t believed(const proxy::Cells& cells, std::string_view tag, std::string_view tenant,
                  std::string& why) {
  if (tag.empty()) return proxy::Cells::kNone;
  const auto claim = cells.believe(tag, tenant, true, std::time(nullptr));
  if (claim) return claim->cell;
  const auto parsed = policy::parse_cell_tag(tag);
  const uint32_t cell = parsed ? cells.find(parsed->cell) : proxy::Cells::kNone;
  if (claim.error() == policy::TagFault::kUnknownKey && cell != proxy::Cells::kNone) {
    why = "  if the tag's signature is good: keys_file is not read here\n";
    return cell;
  }
  why = "  the tag does not count: " + std::string(policy::fault_word(claim.error())) + "\n";
  return proxy::Cells::kNone;
}

bool names_cell(const std::string& place) {
  return place.find(kCellPlaceholder) != std::string::npos;
}

// Who could serve it, and how the file has them.
std::string candidates(const proxy::Cells& cells, const std::string& place) {
  if (!names_cell(place)) return {};
  const size_t at = place.find(kCellPlaceholder);
  std::string out;
  for (uint32_t i = 0; i < cells.size(); ++i) {
    const CellConfig& cell = cells.member(i);
    std::string cluster = place;
    cluster.replace(at, std::string_view(kCellPlaceholder).size(), cell.name);
    out += "  " + cell.name + ": " + std::string(policy::state_word(cell.state)) + ", weight " +
           std::to_string(cell.weight) + (cell.region.empty() ? "" : ", region " + cell.region) +
           ", cluster " + cluster + "\n";
  }
  return out;
}

}  // namespace

std::string explain_cells(const Compiled& compiled, const route::Route& route,
                          const RequestHead& head, const std::vector<std::string>& places,
                          base::Arena& arena) {
  const bool answered = std::holds_alternative<DirectTarget>(route.target()) ||
                        std::holds_alternative<RedirectTarget>(route.target());
  if (compiled.cells == nullptr || answered) return {};
  const proxy::Cells& cells = *compiled.cells;
  proxy::Cells::Asked asked{head, {}, {}, kClient};
  if (compiled.policies != nullptr) {
    const route::IdentityFacts facts{.head = head, .trusted_peer = true, .route = route.name()};
    if (const auto identity = compiled.policies->identity.identify(facts)) {
      asked.tenant = identity->tenant;
      asked.function = identity->function;
    }
  }
  std::string steps;
  uint32_t home = believed(cells, tag_in(head, cells.config().tag.header), asked.tenant, steps);
  std::string how = "tag";
  if (home == proxy::Cells::kNone) {
    std::vector<std::string> rules;
    const proxy::Cells::Home found = cells.assign(asked, arena, &rules);
    home = found.cell;
    how = policy::reason_word(found.how);
    for (const std::string& rule : rules) steps += "  " + rule + "\n";
  }
  const std::string who = asked.tenant.empty() ? "nobody's" : "tenant " + std::string(asked.tenant);
  std::string out = "cell: " + cells.member(home).name + " by " + how + " (" + who + ")\n" + steps;
  if (std::ranges::none_of(places, names_cell)) {
    return out + "  the target names no {cell}: served where this weir is\n";
  }
  for (const std::string& place : places) out += candidates(cells, place);
  return out;
}

}  // namespace weir::app
