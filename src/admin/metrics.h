// SPDX-License-Identifier: Apache-2.0
// /metrics: Totals in the Prometheus text format, written in steps of a millisecond or so, because
// a thousand clusters are tens of thousands of lines and the control loop has probes to answer
// meanwhile. The numbers are of one moment all the same: Totals are collected before.
// One thread; lives for one scrape.
#pragma once

#include <cstddef>
#include <string>

#include "admin/totals.h"

namespace weir::admin {

class MetricsPage {
 public:
  explicit MetricsPage(Totals totals) : totals_(std::move(totals)) {}

  /// Writes the next part. False: that was all.
  bool step();
  std::string take() { return std::move(text_); }

  /// Endpoints beyond these have no series of their own.
  static constexpr size_t kMaxEndpointSeries = 1000;

 private:
  Totals totals_;
  std::string text_;
  size_t metric_ = 0;    ///< Index into kMetrics of what comes next.
  size_t from_ = 0;      ///< The first cluster of the next part of that metric.
  bool headed_ = false;  ///< Its HELP and TYPE lines are written.
};

}  // namespace weir::admin
