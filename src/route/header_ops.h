// SPDX-License-Identifier: Apache-2.0
// A route's header operations, compiled: names are looked up once, and what would break framing or
// routing is refused with a diagnostic. Not the headers that weir itself adds or strips (Via,
// X-Forwarded-*, hop-by-hop): those are proxy/'s and are not configurable here. Immutable after
// compile(); any thread. Views point into the HeaderOps given to compile(), which must outlive
// them: a Route owns both.
#pragma once

#include <weir/config.h>
#include <weir/message.h>

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/arena.h"
#include "config/diagnostics.h"

namespace weir::route {

/// Where the operations of a HeaderOps stand, for diagnostics.
struct HeaderOpsPlace {
  const SourceLocation& location;
  std::string_view key;  ///< "routes.blue.headers.request"
};

/// False, and an error in `diagnostics`, if that field may not be set, added or removed: a name
/// that is no token, a value with control characters, Host (rewrite.host is the way), Expect,
/// framing (content-length, transfer-encoding, trailer) or hop-by-hop fields.
bool check_header_op(std::string_view name, std::string_view value, const HeaderOpsPlace& place,
                     config::Diagnostics& diagnostics);

class CompiledHeaderOps {
 public:
  /// False, and at least one error in `diagnostics`, if check_header_op() refuses one.
  bool compile(const HeaderOps& config, const HeaderOpsPlace& place,
               config::Diagnostics& diagnostics);

  bool empty() const { return ops_.empty(); }
  /// Removes, then sets, then adds (each in the order of the file). A field that is set takes the
  /// place of the first one of that name, or stands last. The list moves into new memory of `arena`
  /// if it has no room left.
  void apply(HeaderList& headers, base::Arena& arena) const;

 private:
  enum class Kind : std::uint8_t { kRemove, kSet, kAdd };
  struct Op {
    Kind kind;
    Header header;
  };

  std::vector<Op> ops_;
};

}  // namespace weir::route
