#pragma once
// The operator's numbers in Prometheus' text format, made when they are asked for. Their count grows with what is going
// on (phases, collections, rollouts under way), not with the number of objects.
#include <string>

#include "base/clock.h"
#include "kube/event_recorder.h"
#include "kube/expectations.h"
#include "kube/metrics.h"
#include "kube/rate_limit.h"
#include "kube/work_queue.h"
#include "operator/controllers/modeldeployment/reconciler.h"
#include "operator/observers/gateway_scraper.h"
#include "operator/publisher/traffic_publisher.h"
#include "operator/stores.h"
#include "operator/webhooks/webhook_metrics.h"
#include "xds/status.h"

namespace tidegate::operator_ {

// Null: not there (yet).
struct MetricsSources {
  const Stores* stores = nullptr;
  const kube::ClientMetrics* client = nullptr;
  const kube::WorkQueue* queue = nullptr;
  const kube::Expectations* expectations = nullptr;
  const kube::EventRecorder* events = nullptr;
  const kube::RateLimiter* limiter = nullptr;
  const Reconciler* reconciler = nullptr;
  const GatewayScraper* scraper = nullptr;
  const TrafficPublisher* publisher = nullptr;
  const kube::DurationHistogram* confirmation = nullptr;
  const WebhookMetrics* webhook = nullptr;
  xds::ServerStatus xds;
  bool leader = false;
  absl::Time now;
};

std::string metrics_page(const MetricsSources& sources);

}  // namespace tidegate::operator_
