// SPDX-License-Identifier: Apache-2.0
// The samples of one metric while /metrics is written: a number or a histogram with its labels, in
// the form that the serializer wants. Not the list of metrics (metric_names.h). One thread; lives
// for one part of a metric.
#pragma once

#include <prometheus/client_metric.h>

#include <array>
#include <utility>
#include <vector>

#include "admin/metric_names.h"
#include "admin/totals.h"

namespace weir::admin {

using prometheus::ClientMetric;
using Labels = std::vector<ClientMetric::Label>;

class Samples {
 public:
  explicit Samples(MetricType type) : type_(type) {}

  template <typename Number>
  void add(Number number, Labels labels = {}) {
    const auto value = static_cast<double>(number);
    ClientMetric& sample = metrics_.emplace_back();
    sample.label = std::move(labels);
    if (type_ == MetricType::kCounter) {
      sample.counter.value = value;
    } else {
      sample.gauge.value = value;
    }
  }
  /// Every second power of two from 256 us to 16.8 s: a factor of four a bucket, nine buckets.
  void add(const Latency& latency, Labels labels);
  std::vector<ClientMetric> take() { return std::move(metrics_); }

 private:
  MetricType type_;
  std::vector<ClientMetric> metrics_;
};

/// The classes of answers as ListenerTotals::responses counts them.
inline constexpr std::array<const char*, 6> kAnswerClasses{"none", "1xx", "2xx",
                                                           "3xx",  "4xx", "5xx"};

}  // namespace weir::admin
