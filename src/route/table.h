// SPDX-License-Identifier: Apache-2.0
// All routes of a snapshot, ordered and indexed: request head in, route out.
//
// The order, most specific first; the first route that takes the whole request wins:
//   1. host: exact, then the longest wildcard ("*.a.b" takes any depth below a.b, not a.b itself),
//      then no hosts at all
//   2. path: exact, then regex, then the longest prefix. A regex stands before prefixes because it
//      describes the whole path, as an exact one does, and because the usual `prefix: /` beside it
//      would otherwise hide it for ever (Envoy Gateway, Contour, nginx and Kong agree)
//   3. the number of conditions: header and query ones, and one if methods are listed
//   4. `priority`, higher first; then the order of the file
// It is one list: where the routes of an exact host do not take a request, those of a wildcard and
// then of no host are tried. (Envoy and nginx stop at the host. Then one path for all hosts, such
// as
// /.well-known/acme-challenge/, must be repeated for each.)
//
// A prefix matches whole segments: "/foo" takes /foo and /foo/x, never /foobar; "/foo/" takes what
// is below only, /foo/ and /foo/x.
//
// Immutable; any thread. A Match points into the table: share() what must outlive it.
#pragma once

#include <weir/config.h>
#include <weir/error.h>
#include <weir/message.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "base/arena.h"
#include "config/diagnostics.h"
#include "route/route.h"

namespace weir::route {

class PathIndex;

class Table {
 public:
  /// Null, and errors in `diagnostics`, if a route cannot be compiled or two can never be told
  /// apart. Warns of routes that no request can reach.
  static std::unique_ptr<const Table> compile(const std::vector<RouteConfig>& routes,
                                              config::Diagnostics& diagnostics);
  ~Table();

  struct Match {
    const Route* route = nullptr;
    std::uint32_t index = 0;                 ///< Of the route; for share().
    ErrorCode reason = ErrorCode::kNoRoute;  ///< Without a route: kNoRoute, or kMethodNotAllowed if
                                             ///< only the method stood in the way.
    std::string_view allow;                  ///< For kMethodNotAllowed: the value of Allow.
  };
  /// Requires: host is lower case without port, path is normalised. Allocates in `arena`, and only
  /// for `allow` and for query values that a regex reads.
  Match match(const RequestHead& head, base::Arena& arena) const;

  std::shared_ptr<const Route> share(std::uint32_t index) const { return routes_[index]; }
  const Route& operator[](std::uint32_t index) const { return *routes_[index]; }
  std::size_t size() const { return routes_.size(); }
  /// Bytes of the index over hosts and paths, without the routes themselves.
  std::size_t index_bytes() const;

  /// For explain: the structure behind match().
  const PathIndex& paths() const { return *paths_; }

 private:
  Table();
  void refuse_method(const RequestHead& head, base::Arena& arena, Match& found) const;

  std::vector<std::shared_ptr<const Route>> routes_;
  std::unique_ptr<const PathIndex> paths_;
};

}  // namespace weir::route
