// SPDX-License-Identifier: Apache-2.0
#include "admin/samples.h"

#include <limits>

namespace weir::admin {

void Samples::add(const Latency& latency, Labels labels) {
  ClientMetric& sample = metrics_.emplace_back();
  sample.label = std::move(labels);
  uint64_t cumulative = 0;
  for (size_t i = 0; i < latency.buckets.size(); ++i) {
    cumulative += latency.buckets[i];
    const bool shown = i >= 8 && i <= 24 && i % 2 == 0;
    if (!shown) continue;
    const double bound = static_cast<double>(base::LatencyHistogram::bound_us(i)) / 1e6;
    sample.histogram.bucket.push_back({cumulative, bound});
  }
  sample.histogram.bucket.push_back({cumulative, std::numeric_limits<double>::infinity()});
  sample.histogram.sample_count = cumulative;
  sample.histogram.sample_sum = static_cast<double>(latency.sum_us) / 1e6;
}

}  // namespace weir::admin
