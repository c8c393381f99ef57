// SPDX-License-Identifier: Apache-2.0
// The pages of `weir set`, `weir overrides`, `weir drain WHAT --wait` and `weir diff --running`.
#include <array>
#include <nlohmann/json.hpp>

#include "admin/overrides.h"
#include "admin/router.h"
#include "base/arena.h"
#include "base/block.h"
#include "route/query.h"

namespace weir::admin {
namespace {

constexpr const char* kText = "text/plain; charset=utf-8";
constexpr const char* kJson = "application/json";

// The parameters of a query, by their known names.
class Parameters {
 public:
  struct Known {
    std::string_view name;
    std::string& value;
  };

  /// The first one that nobody knows; empty: all are known.
  static std::string read(std::string_view query, std::initializer_list<Known> known) {
    base::Account account;
    base::BlockPool blocks(4096, 1);
    base::Arena arena(blocks, account);
    route::QueryParameter parameter;
    while (route::next_parameter(query, parameter)) {
      const std::string_view name = route::decode(parameter.name, arena);
      bool taken = false;
      for (const Known& each : known) {
        if (each.name != name) continue;
        each.value = route::decode(parameter.value, arena);
        taken = true;
      }
      if (!taken) return std::string(name);
    }
    return {};
  }
};

Response bad_query(const std::string& what, std::string_view takes) {
  return {422, kText, "`" + what + "` is not known here; takes " + std::string(takes) + "\n", {}};
}

}  // namespace

Router::Answer Router::set(const Request& request, Later&) {
  SetRequest asked;
  std::string keep;
  const std::string stranger = Parameters::read(request.query, {{"kind", asked.kind},
                                                                {"name", asked.name},
                                                                {"value", asked.value},
                                                                {"for", asked.how_long},
                                                                {"keep", keep}});
  if (!stranger.empty()) return bad_query(stranger, "kind, name, value, for, keep");
  if (!keep.empty() && keep != "1") return bad_query("keep=" + keep, "keep=1");
  asked.keep = !keep.empty();
  asked.who = request.who;
  SetAnswer answer = process_.set(asked);
  return Response{answer.status, kText, std::move(answer.text), {}};
}

Router::Answer Router::overrides(const Request& request, Later&) {
  const bool yaml = request.query == "format=yaml";
  const auto rows = process_.overrides();
  if (yaml) return Response{200, "application/yaml", overrides_yaml(rows), {}};
  return Response{200, kJson, overrides_json(rows), {}};
}

Router::Answer Router::in_flight(const Request& request, Later&) {
  std::string kind;
  std::string name;
  const std::string stranger = Parameters::read(request.query, {{"kind", kind}, {"name", name}});
  if (!stranger.empty()) return bad_query(stranger, "kind, name");
  const auto count = process_.in_flight(kind, name);
  if (!count) return Response{count.error().status, kText, count.error().text, {}};
  return Response{200, kJson, nlohmann::json{{"in_flight", *count}}.dump() + "\n", {}};
}

Router::Answer Router::diff(const Request& request, Later& later) {
  const bool json = request.query == "format=json";
  process_.diff(json, [type = json ? kJson : kText,
                       reply = std::move(later)](DiffOutcome outcome) mutable {
    reply({static_cast<uint16_t>(outcome.readable ? 200 : 422), type, std::move(outcome.text), {}});
  });
  return std::nullopt;
}

}  // namespace weir::admin
