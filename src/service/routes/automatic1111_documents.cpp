#include "service/routes/automatic1111_documents.h"

#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <fstream>

#include "service/dialects/automatic1111.h"
#include "service/dialects/picture_fields.h"

namespace ssd1b {
namespace {

/// What the pictures of some requests are together.
struct Together {
  int pictures = 0;
  int ended = 0;
  int step = 0;   // of the picture in the making that is farthest
  int steps = 0;  // of that picture
  double done = 0.0;
  double eta_ms = 0.0;
};

Together together(const std::vector<std::shared_ptr<RunningRequest>>& requests,
                  const Dispatcher& dispatcher) {
  Together all;
  for (const auto& request : requests) {
    for (const std::shared_ptr<Job>& job : request->jobs()) {
      const JobStatus status = job->status();
      ++all.pictures;
      if (has_ended(status.state)) {
        ++all.ended;
        all.done += 1.0;
        continue;
      }
      if (all.steps == 0 || status.step > all.step) {
        all.step = status.step;
        all.steps = status.steps;
      }
      all.done += static_cast<double>(status.step) / std::max(1, status.steps);
      if (const auto place = dispatcher.place_of(*job)) {
        all.eta_ms = std::max(all.eta_ms, place->eta_ms);
      }
    }
  }
  return all;
}

Json ram_json() {
  std::int64_t all_pages = 0;
  std::int64_t resident_pages = 0;
  std::ifstream("/proc/self/statm") >> all_pages >> resident_pages;
  const std::int64_t machine_pages = sysconf(_SC_PHYS_PAGES);
  if (resident_pages <= 0 || machine_pages <= 0) return {{"error", "unavailable"}};
  const std::int64_t page_bytes = sysconf(_SC_PAGESIZE);
  return {{"free", (machine_pages - resident_pages) * page_bytes},
          {"used", resident_pages * page_bytes},
          {"total", machine_pages * page_bytes}};
}

}  // namespace

Json options_document(const RequestRules& rules) {
  return {{"sd_model_checkpoint", rules.model_names.front()},
          {"sd_vae", "Automatic"},
          {"samples_format", "png"},
          {"jpeg_quality", kDefaultQuality},
          {"CLIP_stop_at_last_layers", 1},
          {"eta_ancestral", 1.0},
          {"eta_ddim", 0.0},
          {"s_churn", 0.0},
          {"tiling", false},
          {"face_restoration", false}};
}

Json sd_models_document(const RequestRules& rules) {
  Json list = Json::array();
  for (const std::string& name : rules.model_names) {
    list.push_back({{"title", name},
                    {"model_name", name},
                    {"hash", nullptr},
                    {"sha256", nullptr},
                    {"filename", name},
                    {"config", nullptr}});
  }
  return list;
}

Json upscalers_document() {
  return Json::array({{{"name", "None"},
                       {"model_name", nullptr},
                       {"model_path", nullptr},
                       {"model_url", nullptr},
                       {"scale", 1.0}}});
}

Json memory_document() {
  // The device belongs to a worker process, which is not asked.
  return {{"ram", ram_json()}, {"cuda", {{"error", "unavailable"}}}};
}

Json progress_document(const std::vector<std::shared_ptr<RunningRequest>>& requests,
                       const Dispatcher& dispatcher) {
  constexpr double kBegun = 0.01;  // as there: 0 means that nothing runs
  const Together all = together(requests, dispatcher);
  Json state = {
      {"skipped", false},
      {"interrupted", false},
      {"stopping_generation", false},
      {"job", requests.empty() ? "" : "scripts_txt2img"},
      {"job_count", all.pictures},
      {"job_timestamp", requests.empty() ? "0" : job_timestamp(requests[0]->began_at_s())},
      {"job_no", all.ended},
      {"sampling_step", all.step},
      {"sampling_steps", all.steps}};
  for (const auto& request : requests) {
    if (request->is_skipped()) state["skipped"] = true;
    if (request->is_interrupted()) state["interrupted"] = true;
  }
  const double progress = all.pictures == 0 ? 0.0 : std::min(1.0, kBegun + all.done / all.pictures);
  return {{"progress", progress},
          {"eta_relative", all.eta_ms / 1000.0},
          {"state", state},
          {"current_image", nullptr},
          {"textinfo", nullptr}};
}

}  // namespace ssd1b
