#include "operator/server/metrics_page.h"

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <initializer_list>
#include <utility>
#include <vector>

#include "api/fields.h"
#include "base/log.h"

namespace tidegate::operator_ {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;
using Labels = std::vector<std::pair<std::string, std::string>>;

class Page {
 public:
  // The family that the next values belong to.
  Page& family(MetricType type, const std::string& name, const std::string& help) {
    families_.push_back({});
    families_.back().type = type;
    families_.back().name = "tidegate_" + name;
    families_.back().help = help;
    return *this;
  }
  Page& gauge(const std::string& name, const std::string& help) { return family(MetricType::Gauge, name, help); }
  Page& counter(const std::string& name, const std::string& help) { return family(MetricType::Counter, name, help); }

  Page& value(double value, const Labels& labels = {}) {
    ClientMetric metric = labelled(labels);
    metric.gauge.value = value;
    metric.counter.value = value;
    families_.back().metric.push_back(std::move(metric));
    return *this;
  }

  Page& histogram(const std::string& name, const std::string& help, const kube::DurationHistogram& histogram) {
    family(MetricType::Histogram, name, help);
    ClientMetric metric;
    uint64_t cumulative = 0;
    for (size_t i = 0; i < histogram.counts().size(); ++i) {
      cumulative += histogram.counts()[i];
      const bool last = i == kube::DurationHistogram::kBoundsSeconds.size();
      const double bound = last ? std::numeric_limits<double>::infinity() : kube::DurationHistogram::kBoundsSeconds[i];
      metric.histogram.bucket.push_back({cumulative, bound});
    }
    metric.histogram.sample_count = histogram.count();
    metric.histogram.sample_sum = histogram.sum_seconds();
    families_.back().metric.push_back(std::move(metric));
    return *this;
  }

  std::string text() const { return prometheus::TextSerializer().Serialize(families_); }

 private:
  static ClientMetric labelled(const Labels& labels) {
    ClientMetric metric;
    for (const auto& [name, value] : labels) metric.label.push_back({name, value});
    return metric;
  }

  std::vector<MetricFamily> families_;
};

void add_objects(const Stores& stores, Page& page) {
  std::map<api::Phase, int> by_phase;
  for (const auto& [phase, name] : api::enum_names<api::Phase>()) by_phase[phase] = 0;
  page.gauge("canary_weight", "Per cent of requests that the canary of a rollout under way gets.");
  for (const auto& [key, object] : stores.models.list()) {
    ++by_phase[object->status.phase];
    if (!object->status.canary) continue;
    page.value(object->status.canary->weight, {{"namespace", key.ns}, {"name", key.name}});
  }
  page.gauge("modeldeployments", "ModelDeployments by phase.");
  for (const auto& [phase, count] : by_phase) page.value(count, {{"phase", std::string(api::enum_name(phase))}});
}

template <class T>
void add_store(const kube::Store<T>& store, Page& sizes, Page& ages, Page& refused) {
  const Labels labels{{"collection", store.name()}};
  sizes.value(static_cast<double>(store.size()), labels);
  ages.value(store.synced() ? absl::ToDoubleSeconds(store.age()) : -1, labels);
  refused.value(static_cast<double>(store.undecodable()), labels);
}

void add_stores(const Stores& stores, std::vector<Page>& pages) {
  Page sizes;
  Page ages;
  Page refused;
  sizes.gauge("store_objects", "Objects in the local copy of a collection.");
  ages.gauge("store_age_seconds", "Since the last event or bookmark of a collection; -1 before the first list.");
  refused.counter("store_undecodable_total", "Changes that could not be read; the last good state stays.");
  add_store(stores.models, sizes, ages, refused);
  add_store(stores.runtimes, sizes, ages, refused);
  add_store(stores.cluster_runtimes, sizes, ages, refused);
  add_store(stores.deployments, sizes, ages, refused);
  add_store(stores.serving_pods, sizes, ages, refused);
  add_store(stores.gateway_pods, sizes, ages, refused);
  add_store(stores.services, sizes, ages, refused);
  for (Page* page : {&sizes, &ages, &refused}) pages.push_back(std::move(*page));
}

void add_client(const kube::ClientMetrics& client, Page& page) {
  page.counter("kube_requests_total", "Requests to the API server; code 0: no answer.");
  for (const auto& [request, count] : client.requests) {
    page.value(static_cast<double>(count), {{"verb", request.first}, {"code", std::to_string(request.second)}});
  }
  page.counter("watch_restarts_total", "Watches that were opened again.");
  for (const auto& [collection, count] : client.watch_restarts) {
    page.value(static_cast<double>(count), {{"collection", collection}});
  }
  page.counter("relists_total", "Full lists after the first.");
  for (const auto& [collection, count] : client.relists) {
    page.value(static_cast<double>(count), {{"collection", collection}});
  }
}

void add_limiter(const kube::RateLimiter& limiter, Page& page) {
  page.counter("kube_requests_delayed_total", "Requests that waited for our own rate limit.")
      .value(static_cast<double>(limiter.delayed(kube::RequestPriority::kForeground)), {{"priority", "foreground"}})
      .value(static_cast<double>(limiter.delayed(kube::RequestPriority::kBackground)), {{"priority", "background"}});
}

void add_queue(const kube::WorkQueue& queue, Page& page) {
  page.gauge("queue_depth", "Objects that wait to be looked at.").value(static_cast<double>(queue.depth()));
  page.counter("queue_adds_total", "Objects put into the queue.").value(static_cast<double>(queue.metrics().adds));
  page.counter("queue_retries_total", "Of them, after a failure.").value(static_cast<double>(queue.metrics().retries));
  page.histogram("queue_latency_seconds", "From being put into the queue to being looked at.",
                 queue.metrics().queue_latency);
}

void add_reconciler(const ReconcilerMetrics& metrics, Page& page) {
  page.histogram("reconcile_duration_seconds", "One look at one object, writes included.", metrics.duration);
  page.counter("reconciles_total", "Looks at objects by what came of them.")
      .value(static_cast<double>(metrics.succeeded - metrics.unchanged), {{"outcome", "changed"}})
      .value(static_cast<double>(metrics.unchanged), {{"outcome", "unchanged"}})
      .value(static_cast<double>(metrics.conflicts), {{"outcome", "conflict"}})
      .value(static_cast<double>(metrics.failed), {{"outcome", "failed"}});
  page.counter("rollouts_total", "Rollouts that this process brought to an end, by outcome.");
  for (const auto& [outcome, count] : metrics.rollouts) {
    page.value(static_cast<double>(count), {{"outcome", std::string(api::enum_name(outcome))}});
  }
}

void add_gateways(const MetricsSources& sources, Page& page) {
  page.gauge("gateway_scrape_age_seconds", "Since a gateway's statistics were read; -1: never.");
  if (sources.scraper != nullptr) {
    for (const auto& [pod, reading] : sources.scraper->readings()) {
      page.value(reading.read_at ? absl::ToDoubleSeconds(sources.now - *reading.read_at) : -1, {{"pod", pod}});
    }
  }
  page.gauge("xds_connected_proxies", "Proxies that this replica serves.")
      .value(static_cast<double>(sources.xds.nodes.size()));
  page.counter("xds_responses_total", "Configurations sent to proxies, of all types.")
      .value(static_cast<double>(sources.xds.responses));
  page.counter("xds_rejections_total", "Of them, those that a proxy refused.")
      .value(static_cast<double>(sources.xds.rejections));
  page.counter("xds_refused_clients_total", "Streams refused because of the client's identity.")
      .value(static_cast<double>(sources.xds.refused_clients));
  if (sources.confirmation != nullptr) {
    page.histogram("weight_confirmation_seconds", "From new weights in status to every gateway's having them.",
                   *sources.confirmation);
  }
  if (sources.publisher == nullptr) return;
  const PublisherMetrics& publisher = sources.publisher->metrics();
  page.counter("xds_snapshots_total", "Snapshots built.").value(static_cast<double>(publisher.builds));
  page.counter("xds_withdrawals_total", "Times this replica sent its proxies away because its stores were stale.")
      .value(static_cast<double>(publisher.withdrawals));
  page.gauge("xds_build_seconds", "How long the last snapshot took to build.")
      .value(absl::ToDoubleSeconds(publisher.last_build));
}

void add_webhook(const WebhookMetrics& webhook, Page& page) {
  page.counter("webhook_requests_total", "Requests to the validating webhook by what came of them.");
  for (size_t i = 0; i < WebhookMetrics::kNames.size(); ++i) {
    page.value(static_cast<double>(webhook.count_of(i)), {{"outcome", WebhookMetrics::kNames[i]}});
  }
  page.histogram("webhook_duration_seconds", "From a whole review to its answer.", webhook.duration);
}

}  // namespace

std::string metrics_page(const MetricsSources& sources) {
  Page page;
  page.gauge("leader", "Whether this replica writes: 1 on one of them, 0 on the others.").value(sources.leader ? 1 : 0);
  page.counter("log_lines_dropped_total", "Lines of the log that the sink was too slow for.")
      .value(static_cast<double>(base::dropped_log_lines()));
  if (sources.client != nullptr) add_client(*sources.client, page);
  if (sources.limiter) add_limiter(*sources.limiter, page);
  if (sources.queue != nullptr) add_queue(*sources.queue, page);
  if (sources.reconciler != nullptr) add_reconciler(sources.reconciler->metrics(), page);
  if (sources.events != nullptr) {
    page.counter("events_total", "Kubernetes Events by what became of them.")
        .value(static_cast<double>(sources.events->written()), {{"result", "written"}})
        .value(static_cast<double>(sources.events->dropped()), {{"result", "dropped"}});
  }
  if (sources.expectations != nullptr) {
    page.counter("own_writes_not_seen_total", "Writes that did not show in the local copy in time.")
        .value(static_cast<double>(sources.expectations->given_up()));
  }
  add_gateways(sources, page);
  if (sources.webhook != nullptr) add_webhook(*sources.webhook, page);
  std::string text;
  if (sources.stores != nullptr) {
    add_objects(*sources.stores, page);
    std::vector<Page> pages;
    add_stores(*sources.stores, pages);
    for (const Page& more : pages) text += more.text();
  }
  return page.text() + text;
}

}  // namespace tidegate::operator_
