// Before the page is drawn: the colours that the person chose here, if any.
(() => {
  try {
    const theme = localStorage.getItem("theme");
    if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
  } catch { /* storage is switched off: as the system has it */ }
})();
