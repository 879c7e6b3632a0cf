// Runs before the first paint so that a chosen theme never flashes. A file of its own, because the content security
// policy allows no inline script.
try {
  var theme = localStorage.getItem('holdfast-theme');
  if (theme === 'dark' || theme === 'light') document.documentElement.dataset.theme = theme;
} catch {
  // Storage can be switched off; the system's preference then decides.
}
