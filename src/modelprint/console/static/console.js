// Says aloud, and shows, that the console has ended while a page waits for it.
document.addEventListener("htmx:sendError", function () {
  var place = document.getElementById("announcement");
  place.textContent = "The console does not answer: is it still running?";
  place.classList.remove("unseen");
  place.classList.add("error");
});
document.addEventListener("htmx:responseError", function (event) {
  var place = document.getElementById("announcement");
  place.textContent = "This work is no longer known: it was removed, or the console was started anew. Load the page again.";
  place.classList.remove("unseen");
  place.classList.add("error");
  var job = document.getElementById("job");
  if (job) { job.remove(); }
});
