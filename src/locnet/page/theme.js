"use strict";
// Light, dark, or what the system says: remembered where the browser lets a file remember anything.
(() => {
  const button = document.getElementById("theme"), names = ["auto", "light", "dark"];
  let now = "auto";
  try { now = localStorage.getItem("locnet-theme") || now; } catch { /* a file without storage */ }
  const show = () => {
    document.documentElement.style.colorScheme = now === "auto" ? "light dark" : now;
    button.textContent = `theme: ${now}`;
  };
  button.addEventListener("click", () => {
    now = names[(names.indexOf(now) + 1) % names.length];
    try { localStorage.setItem("locnet-theme", now); } catch { /* as above */ }
    show();
  });
  show();
})();
