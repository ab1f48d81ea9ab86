// Enhancements of the pages. Every page works without this file.
(() => {
  // --- Relative times and running clocks ---
  const ago = (seconds) => {
    if (seconds < -5) return `in ${span(-seconds)}`;
    return seconds < 5 ? "just now" : `${span(seconds)} ago`;
  };
  const due = (seconds) => {
    if (seconds < -5) return ago(seconds);
    return seconds < 60 ? "now" : `due ${ago(seconds)}`;
  };
  const span = (seconds) => {
    if (seconds < 60) return `${Math.floor(seconds)} s`;
    if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
    if (seconds < 86400) return `${Math.floor(seconds / 3600)} h`;
    const days = Math.floor(seconds / 86400);
    return days + (days === 1 ? " day" : " days");
  };
  const clock = (seconds) => {
    const s = Math.max(0, Math.floor(seconds));
    if (s < 60) return `${s} s`;
    const rest = s % 60;
    if (s < 3600) return `${Math.floor(s / 60)} min${rest ? ` ${rest} s` : ""}`;
    const minutes = Math.floor((s % 3600) / 60);
    return `${Math.floor(s / 3600)} h${minutes ? ` ${minutes} min` : ""}`;
  };
  // Uses the server's clock: with a wrong local clock every run would look lost.
  const started = performance.now();
  const serverStart = Date.parse(document.documentElement.dataset.now);
  const now = () => serverStart + (performance.now() - started);
  const tick = () => {
    document.querySelectorAll("time[data-age]").forEach((element) => {
      const words = element.dataset.age === "due" ? due : ago;
      const text = words((now() - Date.parse(element.dateTime)) / 1000);
      if (element.textContent !== text) element.textContent = text;
    });
    document.querySelectorAll("time[data-clock]").forEach((element) => {
      const text = clock((now() - Date.parse(element.dateTime)) / 1000);
      if (element.textContent !== text) element.textContent = text;
    });
  };
  if (!Number.isNaN(serverStart)) setInterval(tick, 1000);

  // --- The exact time of an element that has no title, in UTC and in the zone of the page ---
  const exact = (moment, timeZone) =>
    `${moment.toLocaleString("sv-SE", { timeZone, dateStyle: "short", timeStyle: "medium" })} ${timeZone}`;
  document.addEventListener("pointerover", (event) => {
    const element = event.target.closest?.("time:not([title], [data-clock])");
    const zone = document.documentElement.dataset.zone;
    if (!element || !zone) return;
    const zones = zone === "UTC" ? ["UTC"] : ["UTC", zone];
    const moment = new Date(element.dateTime);
    element.title = zones.map((name) => exact(moment, name)).join(" · ");
  });

  // --- The age of what a live page shows, instead of its time ---
  let updated = started;
  document.addEventListener("htmx:afterRequest", (event) => {
    if (event.detail.successful) updated = performance.now();
  });
  const showUpdated = () => {
    const isLive = document.querySelector("[hx-trigger]") !== null;
    document.querySelectorAll("[data-updated]").forEach((element) => {
      element.hidden = !isLive;
      element.textContent = `Updated ${ago((performance.now() - updated) / 1000)}`;
    });
  };
  setInterval(showUpdated, 1000);

  // --- The button of an error page that leads back to the form or the list ---
  document.querySelectorAll("[data-go-back]").forEach((button) => {
    button.hidden = history.length < 2;
    button.addEventListener("click", () => history.back());
  });

  // --- Copy buttons ---
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-copy]");
    if (!button || !navigator.clipboard) return;
    navigator.clipboard.writeText(button.dataset.copy).then(() => {
      button.classList.add("copied");
      button.setAttribute("aria-label", "Copied");
      setTimeout(() => {
        button.classList.remove("copied");
        button.setAttribute("aria-label", "Copy");
      }, 1500);
    });
  });

  // --- Close menus on Escape, a click outside, or when the focus moves on ---
  const closeMenus = (except) =>
    document.querySelectorAll("details.menu[open]").forEach((menu) => {
      // Otherwise the focus would be lost with the entry that has it.
      if (!except && menu.contains(document.activeElement)) menu.querySelector("summary").focus();
      if (menu !== except) menu.open = false;
    });
  for (const type of ["click", "focusin"])
    document.addEventListener(type, (event) => closeMenus(event.target.closest("details.menu")));

  // --- Submit filters when they change ---
  const FIELDS = "select, input:is([type=date], [type=number], [data-lookup])";
  document.addEventListener("change", (event) => {
    const form = event.target.closest("form[data-autosubmit]");
    if (!form || !event.target.matches(FIELDS)) return;
    // An hour without its day is no filter yet.
    const { name, value } = event.target;
    const day = name.endsWith("_hour") && form.elements[name.slice(0, -"_hour".length)];
    if (!day || !value || day.value) form.requestSubmit();
  });

  // --- Do not refresh a list while rows are selected ---
  const hasSelection = (section) => section.querySelector?.("input[name=run]:checked");
  document.addEventListener("htmx:beforeRequest", (event) => {
    if (hasSelection(event.target)) event.preventDefault();
  });
  document.addEventListener("htmx:beforeSwap", (event) => {
    if (hasSelection(event.detail.target)) event.detail.shouldSwap = false;
  });

  // --- Keep the focus in a section that refreshes ---
  // htmx does so for elements with an id.
  const STOPS = "a[href], button, input, select, textarea, summary, [tabindex]";
  const alike = (section, { tagName, name, value, href, dataset, textContent }) =>
    Array.from(section.querySelectorAll(STOPS)).filter(
      (other) =>
        other.tagName === tagName &&
        other.name === name &&
        other.value === value &&
        other.href === href &&
        other.dataset.copy === dataset.copy &&
        (href || other.textContent === textContent),
    );
  let focused = null;
  document.addEventListener("htmx:beforeSwap", ({ detail: { target } }) => {
    const element = document.activeElement;
    focused = null;
    if (!element.id && target.contains(element))
      focused = { element, section: target.id, place: alike(target, element).indexOf(element) };
  });
  document.addEventListener("htmx:afterSwap", () => {
    const section = focused && document.getElementById(focused.section);
    if (!section || document.activeElement === focused.element) return;
    alike(section, focused.element)[focused.place]?.focus({ preventScroll: true });
  });

  // --- The search as a dialog ---
  const palette = document.getElementById("palette");
  const openPalette = () => {
    closeMenus(null);
    if (!palette.open) palette.showModal();
    palette.querySelector("input").select();
  };
  document.querySelectorAll("[data-open-palette]").forEach((link) => {
    link.addEventListener("click", (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      openPalette();
    });
  });
  palette?.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    const stops = [palette.querySelector("input"), ...palette.querySelectorAll("[data-hit]")];
    if (step) {
      event.preventDefault();
      const next = stops.indexOf(document.activeElement) + step;
      stops[Math.min(stops.length - 1, Math.max(0, next))].focus();
    } else if (event.key === "Enter" && document.activeElement === stops[0] && stops[1]) {
      event.preventDefault();
      stops[1].click();
    }
  });
  palette?.addEventListener("click", (event) => {
    if (event.target === palette) palette.close();
  });

  // --- Keyboard shortcuts ---
  const rows = () =>
    Array.from(document.querySelectorAll("[data-row] :is(a[data-row-link], .run-name > a)"));
  const move = (step) => {
    const links = rows();
    if (!links.length) return;
    const index = links.indexOf(document.activeElement);
    links[Math.min(links.length - 1, Math.max(0, index + step))].focus();
  };
  const help = () => {
    closeMenus(null);
    const dialog = document.getElementById("keyboard-help");
    if (dialog && !dialog.open) dialog.showModal();
  };
  const keys = {
    "/": () => document.querySelector("[data-filter]")?.focus(),
    j: () => move(1),
    k: () => move(-1),
    "?": help,
  };
  const TYPED = "input:not([type=checkbox], [type=radio])";
  const shortcutsAreOff = document.documentElement.dataset.shortcuts === "off";
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") closeMenus(null);
    if (shortcutsAreOff) return;
    if ((event.ctrlKey || event.metaKey) && event.key === "k" && palette) {
      event.preventDefault();
      openPalette();
      return;
    }
    if (event.target.closest(`${TYPED}, select, textarea, [contenteditable]`)) return;
    if (event.ctrlKey || event.metaKey || event.altKey || !keys[event.key]) return;
    event.preventDefault();
    keys[event.key]();
  });
  document.querySelectorAll("[data-open-help]").forEach((button) => {
    button.hidden = false;
    button.addEventListener("click", help);
  });

  // --- Announce a new state to screen readers ---
  let announced = document.querySelector("[data-announce]")?.dataset.announce;
  document.addEventListener("htmx:afterSettle", () => {
    const state = document.querySelector("[data-announce]")?.dataset.announce;
    if (state && state !== announced) document.getElementById("announcer").textContent = state;
    announced = state;
  });

  // --- Keep what was entered when a session has ended or a form is refused ---
  // The sign-in page, an error page, or a form with data-returns that leads to an identity provider
  // marks the entries as interrupted. The page of the form fills them in again, for the same user; also
  // when it shows an error after a redirect. Secrets are not stored.
  const ENTRIES = "runledger.entries";
  const ENTRIES_MAX_AGE = 60 * 60 * 1000;
  const user = document.documentElement.dataset.user;
  const address = () => location.pathname + location.search;
  const stored = () => {
    try {
      return JSON.parse(sessionStorage.getItem(ENTRIES));
    } catch {
      return null;
    }
  };
  const isKept = (field) =>
    field.name &&
    !field.closest("form[data-forget], [data-secret]") &&
    !field.matches("[type=hidden], [type=password], [type=file], [type=submit], button");
  const isChanged = (field) => {
    if (field.matches("[type=checkbox], [type=radio]"))
      return field.checked !== field.defaultChecked;
    if (field.matches("select"))
      return Array.from(field.options).some((option) => option.selected !== option.defaultSelected);
    return field.value !== field.defaultValue;
  };
  // The address to which a form is sent; without one, that of its page.
  const targetOf = (form) => {
    const target = new URL(form.getAttribute("action") ?? "", location);
    return target.pathname + target.search;
  };
  // A form is identified by this address and the object that its hidden fields name, because others can
  // appear before it; a choice by its value, another field by its place among those of its name.
  const TOKENS = "[name=csrfmiddlewaretoken], [name=submission]";
  const keyOf = (form) => {
    const hidden = Array.from(form.querySelectorAll(`[type=hidden]:not(${TOKENS})`));
    const values = hidden.map(({ name, value }) => `${name}=${value}`);
    return [form.method, targetOf(form), ...values].join(" ");
  };
  const formFields = () => {
    const seen = new Map();
    const numbered = (name) => {
      seen.set(name, (seen.get(name) ?? 0) + 1);
      return `${name} ${seen.get(name)}`;
    };
    return Array.from(document.forms).flatMap((form) => {
      const formKey = keyOf(form);
      return Array.from(form.elements)
        .filter(isKept)
        .map((field) => {
          const name = `${formKey} ${field.name}`;
          const isChoice = field.matches("[type=checkbox], [type=radio]");
          return { field, key: isChoice ? `${name} ${field.value}` : numbered(name) };
        });
    });
  };
  const valuesOf = (field) => {
    if (field.matches("[type=checkbox], [type=radio]")) return field.checked;
    if (field.matches("select")) return Array.from(field.selectedOptions, (option) => option.value);
    return field.value;
  };
  const fill = (field, value) => {
    if (field.matches("[type=checkbox], [type=radio]")) field.checked = value;
    else if (field.matches("select"))
      Array.from(field.options).forEach((option) => {
        option.selected = value.includes(option.value);
      });
    else field.value = value;
  };
  const keepEntries = () => {
    if (!user) return;
    sessionStorage.removeItem(ENTRIES);
    const entries = formFields().filter(({ field }) => isChanged(field));
    if (!entries.length) return;
    const values = Object.fromEntries(entries.map(({ field, key }) => [key, valuesOf(field)]));
    sessionStorage.setItem(
      ENTRIES,
      JSON.stringify({ user, address: address(), at: Date.now(), values }),
    );
  };
  const interrupt = (entries) => {
    if (!entries) return;
    sessionStorage.setItem(ENTRIES, JSON.stringify({ ...entries, interrupted: true }));
  };
  const fillIn = (entries) => {
    const isRefused = document.querySelector(".messages [data-level=error]") !== null;
    if (!entries.interrupted && !isRefused) return;
    // The address of a refused form leads to the page that has the form.
    const pages = [address(), ...Array.from(document.forms, targetOf)];
    if (entries.user !== user || !pages.includes(entries.address)) return;
    if (Date.now() - entries.at > ENTRIES_MAX_AGE) return;
    const fields = formFields().filter(({ key }) => key in entries.values);
    if (!fields.length) return;
    fields.forEach(({ field, key }) => {
      fill(field, entries.values[key]);
      field.closest("details")?.setAttribute("open", "");
    });
    document.getElementById("entries-restored").hidden = false;
  };
  document.addEventListener("submit", (event) => {
    if (event.target.matches("[data-forget]")) sessionStorage.removeItem(ENTRIES);
    else if (event.target.matches("[data-returns]")) interrupt(stored());
    else if (event.target.method === "post") keepEntries();
  });
  document.addEventListener("htmx:beforeOnLoad", (event) => {
    if (event.detail.xhr.getResponseHeader("HX-Redirect")) keepEntries();
  });
  const entries = stored();
  if (entries && !user) {
    interrupt(entries);
  } else if (entries && !document.querySelector("form[data-returns]")) {
    sessionStorage.removeItem(ENTRIES);
    fillIn(entries);
  }

  // --- Show a notice while the server cannot be reached ---
  const offline = (shown) => {
    const notice = document.getElementById("offline");
    if (notice) notice.hidden = !shown;
  };
  document.addEventListener("htmx:sendError", () => offline(true));
  document.addEventListener("htmx:responseError", () => offline(true));
  document.addEventListener("htmx:afterRequest", (event) => {
    if (event.detail.successful) offline(false);
  });
})();
