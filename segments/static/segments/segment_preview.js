// Adds a preview to the segment form: counts the rule tree as it stands in the text area, without saving it.
"use strict";

document.addEventListener("DOMContentLoaded", () => {
  const area = document.getElementById("id_definition");
  if (!area) return;
  const chinese = document.documentElement.lang.startsWith("zh");
  const words = chinese
    ? { button: "预览人数", busy: "正在计算……", people: "人", sample: "例如" }
    : { button: "Preview", busy: "Counting…", people: "people", sample: "for example" };

  const button = document.createElement("button");
  button.type = "button";
  button.textContent = words.button;
  button.className = "bg-primary-600 text-white rounded-default px-3 py-2 mt-2 font-medium cursor-pointer";
  const result = document.createElement("p");
  result.id = "segment-preview";
  result.setAttribute("role", "status");
  result.className = "mt-2";
  area.insertAdjacentElement("afterend", result);
  area.insertAdjacentElement("afterend", button);

  const previewUrl = window.location.pathname.replace(/segments\/segment\/.*$/, "segments/segment/preview/");
  const token = area.form.querySelector("input[name=csrfmiddlewaretoken]").value;

  button.addEventListener("click", async () => {
    result.textContent = words.busy;
    button.disabled = true;
    try {
      const answer = await fetch(previewUrl, {
        method: "POST",
        headers: { "X-CSRFToken": token },
        body: new URLSearchParams({ definition: area.value }),
      });
      const found = await answer.json();
      result.classList.toggle("text-red-600", Boolean(found.error));
      result.textContent = found.error || describe(found);
    } catch (error) {
      result.textContent = String(error);
    } finally {
      button.disabled = false;
    }
  });

  function describe(found) {
    const names = found.sample.map((person) => `#${person.id} ${person.name}`).join(", ");
    const sample = names ? ` (${words.sample} ${names})` : "";
    return `${found.count.toLocaleString()} ${words.people}${sample}. ${found.sentence}`;
  }
});
