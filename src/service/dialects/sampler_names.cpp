#include "service/dialects/sampler_names.h"

#include <algorithm>
#include <optional>
#include <vector>

#include "service/dialects/lower_case.h"

namespace ssd1b {
namespace {

const std::string kKarrasEnd = "_karras";

enum class Schedule { Automatic, Uniform, Karras };

/// What Automatic takes, as the options of Automatic1111's samplers (1.9 and later) say.
enum class Prefers { Uniform, Karras };

struct Sampler {
  std::string name;
  std::string ours;
  std::vector<std::string> aliases;
  Prefers prefers = Prefers::Uniform;
  bool has_schedule = true;  // else whatever `scheduler` says changes nothing there either
};

/// Those of Automatic1111 that do the same as ours, and behind LCM ours that it does not have.
/// "DPM++ 2S a" is none of them: ours has no noise. Automatic means exponential spacing for
/// "DPM++ 2M SDE" there; Karras is what comes near.
const std::vector<Sampler>& samplers() {
  static const std::vector<Sampler> kSamplers = {
      {"DPM++ 2M", "dpmpp_2m", {"k_dpmpp_2m"}, Prefers::Karras},
      {"DPM++ SDE", "dpmpp_sde", {"k_dpmpp_sde"}, Prefers::Karras},
      {"DPM++ 2M SDE", "dpmpp_2m_sde", {"k_dpmpp_2m_sde"}, Prefers::Karras},
      {"Euler a", "euler_a", {"k_euler_a", "k_euler_ancestral"}},
      {"Euler", "euler", {"k_euler"}},
      {"LMS", "lms", {"k_lms"}},
      {"Heun", "heun", {"k_heun"}},
      {"DPM2", "dpm2", {"k_dpm_2"}, Prefers::Karras},
      {"DPM2 a", "dpm2_a", {"k_dpm_2_a"}, Prefers::Karras},
      {"DDIM", "ddim", {}, Prefers::Uniform, /*has_schedule=*/false},
      {"PLMS", "pndm", {}, Prefers::Uniform, /*has_schedule=*/false},
      {"UniPC", "unipc", {}},
      {"LCM", "lcm", {"k_lcm"}},
      {"TCD", "tcd", {}},
      {"DPM++ 2S", "dpmpp_2s", {}},
      {"DEIS", "deis", {}},
      {"DDPM", "ddpm", {}}};
  return kSamplers;
}

bool ends_with(const std::string& text, const std::string& end) {
  return text.size() > end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}

std::string without_karras(const std::string& name) {
  return ends_with(name, kKarrasEnd) ? name.substr(0, name.size() - kKarrasEnd.size()) : name;
}

const SchedulerInfo* find_ours(const std::string& name, const ModelInfo& model) {
  const auto is_it = [&](const SchedulerInfo& each) { return each.name == name; };
  const auto found = std::find_if(model.schedulers.begin(), model.schedulers.end(), is_it);
  return found == model.schedulers.end() ? nullptr : &*found;
}

bool has(const ModelInfo& model, const Sampler& sampler) {
  const SchedulerInfo* ours = find_ours(sampler.ours, model);
  // A PNDM that begins with Runge-Kutta is not PLMS.
  if (ours && sampler.ours == "pndm") return ours->min_steps == 1;
  return ours || find_ours(sampler.ours + kKarrasEnd, model);
}

std::string automatic_of(const Sampler& sampler, const ModelInfo& model) {
  const std::string karras = sampler.ours + kKarrasEnd;
  const bool is_karras = sampler.prefers == Prefers::Karras && find_ours(karras, model);
  return is_karras || !find_ours(sampler.ours, model) ? karras : sampler.ours;
}

std::optional<Schedule> schedule_named(const std::string& name) {
  const std::string small = lower_case(name);
  if (small == "automatic") return Schedule::Automatic;
  if (small == "uniform" || small == "normal") return Schedule::Uniform;
  if (small == "karras") return Schedule::Karras;
  return std::nullopt;
}

bool has_karras(const ModelInfo& model) {
  return std::any_of(model.schedulers.begin(), model.schedulers.end(),
                     [](const SchedulerInfo& each) { return ends_with(each.name, kKarrasEnd); });
}

/// A sampler that a client names, and the schedule that its name holds.
struct Named {
  std::string ours;
  std::string automatic;
  bool has_schedule = true;
  Schedule schedule = Schedule::Automatic;
};

std::optional<Named> find_theirs(const std::string& name, const ModelInfo& model) {
  const std::string small = lower_case(name);
  for (const Sampler& each : samplers()) {
    const bool is_it =
        lower_case(each.name) == small ||
        std::find(each.aliases.begin(), each.aliases.end(), small) != each.aliases.end();
    if (is_it && has(model, each)) {
      return Named{each.ours, automatic_of(each, model), each.has_schedule};
    }
  }
  return std::nullopt;
}

Named ours_named(const std::string& name) {
  const std::string ours = without_karras(name);
  const auto is_it = [&](const Sampler& each) { return each.ours == ours && !each.has_schedule; };
  return {ours, name, std::none_of(samplers().begin(), samplers().end(), is_it)};
}

std::optional<Named> find_named(const std::string& name, const ModelInfo& model) {
  // "dpm2" is ours, of uniform spacing; "DPM2" is theirs.
  if (find_ours(name, model)) return ours_named(name);
  if (auto theirs = find_theirs(name, model)) return theirs;
  if (find_ours(lower_case(name), model)) return ours_named(lower_case(name));
  const std::size_t space = name.rfind(' ');
  if (space == std::string::npos) return std::nullopt;
  const auto schedule = schedule_named(name.substr(space + 1));
  auto theirs = find_theirs(name.substr(0, space), model);
  if (!schedule || !theirs) return std::nullopt;
  theirs->schedule = *schedule;
  return theirs;
}

std::string name_under(const Named& named, Schedule schedule) {
  if (schedule == Schedule::Automatic || !named.has_schedule) return named.automatic;
  return schedule == Schedule::Karras ? named.ours + kKarrasEnd : named.ours;
}

Error no_sampler(const FieldReader& fields, const std::string& field, const ModelInfo& model) {
  std::string names;
  for (const Sampler& each : samplers()) {
    if (has(model, each)) names += (names.empty() ? "" : ", ") + each.name;
  }
  return fields.invalid(field, "one of " + names + ", or a scheduler of /v1/models");
}

Error no_schedule(const FieldReader& fields, const Named& named, const ModelInfo& model) {
  std::string names = "Automatic";
  if (find_ours(named.ours, model)) names += ", Uniform";
  if (find_ours(named.ours + kKarrasEnd, model)) names += ", Karras";
  return fields.invalid("schedule", "one of " + names + " for " + label_of(named.ours).sampler);
}

}  // namespace

std::string read_sampler(const FieldReader& fields, const ModelInfo& model) {
  std::string field = "scheduler";
  std::string name = fields.text(field).value_or("");
  if (name.empty()) {
    field = "sampler_index";
    name = fields.text(field).value_or("");
  }
  const auto named = find_named(name.empty() ? model.scheduler : name, model);
  if (!named) throw no_sampler(fields, field, model);
  const std::string schedule_name = fields.text("schedule").value_or("");
  auto schedule = schedule_name.empty() ? Schedule::Automatic : schedule_named(schedule_name);
  // The one in the sampler's name wins, as there.
  const bool is_in_name = named->schedule != Schedule::Automatic;
  if (is_in_name) schedule = named->schedule;
  if (!schedule && !named->has_schedule) schedule = Schedule::Automatic;
  if (!schedule) throw no_schedule(fields, *named, model);
  const std::string ours = name_under(*named, *schedule);
  if (find_ours(ours, model)) return ours;
  if (is_in_name) throw no_sampler(fields, field, model);
  throw no_schedule(fields, *named, model);
}

SamplerLabel label_of(const std::string& scheduler) {
  const bool is_karras = ends_with(scheduler, kKarrasEnd);
  const std::string ours = without_karras(scheduler);
  for (const Sampler& each : samplers()) {
    if (each.ours != ours) continue;
    const char* plain = each.prefers == Prefers::Karras ? "Uniform" : "Automatic";
    return {each.name, is_karras ? "Karras" : plain};
  }
  return {scheduler, "Automatic"};
}

Json samplers_document(const ModelInfo& model) {
  Json list = Json::array();
  for (const Sampler& each : samplers()) {
    if (!has(model, each)) continue;
    Json options = Json::object();
    if (ends_with(automatic_of(each, model), kKarrasEnd)) options["scheduler"] = "karras";
    list.push_back({{"name", each.name}, {"aliases", each.aliases}, {"options", options}});
  }
  return list;
}

Json schedulers_document(const ModelInfo& model) {
  constexpr double kNoRho = -1.0;
  constexpr double kKarrasRho = 7.0;
  const auto entry = [](const char* name, const char* label, double rho) {
    return Json{{"name", name},
                {"label", label},
                {"aliases", nullptr},
                {"default_rho", rho},
                {"need_inner_model", false}};
  };
  Json list = {entry("automatic", "Automatic", kNoRho), entry("uniform", "Uniform", kNoRho)};
  if (has_karras(model)) list.push_back(entry("karras", "Karras", kKarrasRho));
  return list;
}

}  // namespace ssd1b
