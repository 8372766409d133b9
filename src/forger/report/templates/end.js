// A link to a state is the page's address; what a server shows anew keeps the state and the place.
addEventListener("hashchange", () => { if (readFragment()) update(Object.keys(usual)); });
readFragment();
update(Object.keys(usual));

if ($("live")) {
  const place = sessionStorage.getItem("place");
  if (place) scrollTo(0, Number(place));
  sessionStorage.removeItem("place");
  let version = null;
  setInterval(async () => {
    try {
      const answer = await (await fetch("version", { cache: "no-store" })).text();
      const isNew = version !== null && version !== answer;
      version ??= answer;
      $("live").textContent = "live";
      if (isNew && !document.hidden && !playing && document.activeElement?.tagName !== "INPUT") {
        sessionStorage.setItem("place", String(scrollY));
        location.reload();
      }
    } catch {
      $("live").textContent = "the server has gone";
    }
  }, 3000);
}
