// SPDX-License-Identifier: Apache-2.0
#include "admin/metrics_rooms.h"

namespace weir::admin {

bool add_mirror(Metric metric, const Totals& totals, Samples& out) {
  switch (metric) {
    case Metric::kMirrorRequests:
      out.add(totals.mirror_requests);
      return true;
    case Metric::kMirrorDropped:
      for (size_t i = 0; i < totals.mirror_dropped.size(); ++i) {
        const auto why = static_cast<policy::MirrorDrop>(i);
        out.add(totals.mirror_dropped[i], {{"reason", std::string(policy::mirror_drop_word(why))}});
      }
      return true;
    case Metric::kMirrorFailed:
      for (size_t i = 0; i < totals.mirror_failures.size(); ++i) {
        if (totals.mirror_failures[i] == 0) continue;
        const ErrorInfo& info = error_info(static_cast<ErrorCode>(i));
        out.add(totals.mirror_failures[i], {{"reason", std::string(info.reason)}});
      }
      return true;
    case Metric::kMirrorCopies:
      out.add(totals.mirror_copies);
      return true;
    case Metric::kMirrorBytes:
      out.add(totals.mirror_bytes);
      return true;
    default:
      return false;
  }
}

}  // namespace weir::admin
