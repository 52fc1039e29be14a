"use strict";
(() => {
  const $ = (id) => document.getElementById(id);
  const tests = [...document.querySelectorAll("#list > details")];
  const fields = { problem: $("f-problem"), backend: $("f-backend"), workers: $("f-workers"), outcome: $("f-outcome") };
  const search = $("search");
  const known = tests.map((test) => ({
    test,
    text: test.textContent.toLowerCase(),
    places: test.dataset.places.split(" ").filter(Boolean).map((place) => {
      const cut = place.lastIndexOf("/");
      return [place.slice(0, cut), place.slice(cut + 1)];
    }),
  }));

  const counts = new Set(known.flatMap(({ places }) => places.map(([, workers]) => workers)).filter(Boolean));
  [...counts].sort((a, b) => a - b).forEach((workers) => fields.workers.add(new Option(workers, workers)));

  // A field of the overview without a backend or a count means just that; an empty choice means all.
  let exact = null;

  const fits = ({ test, text, places }, words) => {
    if (fields.problem.value && test.dataset.problem !== fields.problem.value) return false;
    if (fields.outcome.value && test.dataset.outcome !== fields.outcome.value) return false;
    const backend = exact ? exact.backend : fields.backend.value;
    const workers = exact ? exact.workers : fields.workers.value;
    const placed = places.some(([b, w]) =>
      exact ? b === backend && w === workers : (!backend || b === backend) && (!workers || w === workers));
    if ((exact || backend || workers) && !placed) return false;
    return words.every((word) => text.includes(word));
  };

  const show = () => {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const one of known) {
      const hidden = !fits(one, words);
      if (one.test.hidden !== hidden) one.test.hidden = hidden;
      shown += !hidden;
    }
    const all = tests.length;
    $("shown").textContent = shown === all ? `${all} tests` : `${shown} of ${all} tests`;
  };

  const later = (() => {
    let timer = 0;
    return () => { clearTimeout(timer); timer = setTimeout(show, 60); };
  })();

  const form = search.form;
  search.addEventListener("input", later);
  form.addEventListener("change", () => { exact = null; show(); });
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", () => { exact = null; setTimeout(show); });

  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[href^='#']");
    if (!link) return;
    if (link.dataset.filterOutcome !== undefined) {
      form.reset(); exact = null;
      fields.outcome.value = link.dataset.filterOutcome;
      show();
    } else if (link.dataset.problem !== undefined) {
      form.reset();
      fields.problem.value = link.dataset.problem;
      fields.backend.value = link.dataset.backend;
      fields.workers.value = link.dataset.workers;
      exact = { backend: link.dataset.backend, workers: link.dataset.workers };
      setTimeout(show);  // after the form's reset
    }
  });

  // What a link leads to is opened, with all that it is in.
  const reveal = () => {
    const target = location.hash.length > 1 && $(decodeURIComponent(location.hash.slice(1)));
    if (!target) return;
    target.hidden = false;
    for (let part = target; part; part = part.parentElement) if (part.tagName === "DETAILS") part.open = true;
    target.scrollIntoView();
    const focus = target.tagName === "DETAILS" ? target.querySelector("summary") : target;
    focus.focus({ preventScroll: true });
  };
  addEventListener("hashchange", reveal);
  reveal();

  document.addEventListener("keydown", (event) => {
    const typing = /^(INPUT|SELECT|TEXTAREA)$/.test(document.activeElement.tagName);
    if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) {
      event.preventDefault();
      search.focus();
    } else if (event.key === "Escape" && document.activeElement === search) {
      search.value = "";
      show();
    }
  });

  // On paper, what failed, all curves and how a gate judged are open.
  let opened = [];
  addEventListener("beforeprint", () => {
    opened = [...document.querySelectorAll("details.panel:not([open]), #gate details:not([open]), .test[data-outcome='failed']:not([open]), .test[data-outcome='error']:not([open])")];
    opened.forEach((one) => { one.open = true; });
  });
  addEventListener("afterprint", () => { opened.forEach((one) => { one.open = false; }); });
})();
