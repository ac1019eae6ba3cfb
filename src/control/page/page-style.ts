/** The page's style: system fonts, one accent, light and dark by the reader's setting. */
export const PAGE_STYLE = `
:root{color-scheme:light dark;--ink:#17212b;--soft:#5c6a78;--line:#dde3e9;--paper:#f6f8f9;--card:#fff;--code:#f3f6f8;--accent:#0a6c74;--good:#16794c;--wait:#95610a}
@media(prefers-color-scheme:dark){:root{--ink:#e4eaf0;--soft:#97a5b3;--line:#2a343e;--paper:#10151a;--card:#171e25;--code:#11171d;--accent:#58c5cd;--good:#5cc792;--wait:#e0ae55}}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.65 system-ui,-apple-system,"Segoe UI","PingFang SC","Microsoft YaHei","Noto Sans CJK SC",sans-serif}
main{max-width:46rem;margin:0 auto;padding:2rem 1.25rem 3rem}
nav{display:flex;justify-content:space-between;align-items:center;color:var(--soft)}
nav b{color:var(--ink);letter-spacing:.01em;display:flex;align-items:center;gap:.55rem}
nav svg{display:block;color:var(--accent)}
a{color:var(--accent);text-underline-offset:.2em}
h1{font-size:clamp(1.6rem,5vw,2.1rem);line-height:1.25;margin:2.6rem 0 .2rem;letter-spacing:-.01em}
h2{font-size:1.05rem;margin:2.6rem 0 .8rem}
p{margin:0}
.soft{color:var(--soft)}
.state{display:inline-flex;align-items:center;gap:.5rem;margin-top:.9rem;font-size:.95rem}
.dot{width:.6rem;height:.6rem;border-radius:50%;background:var(--good);flex:none}
.dot.wait{background:var(--wait)}
.card{background:var(--card);border:1px solid var(--line);border-radius:12px;overflow:hidden}
.models{list-style:none;margin:0;padding:0}
.models li{display:flex;flex-wrap:wrap;align-items:baseline;justify-content:space-between;gap:.1rem 1.2rem;padding:.75rem 1.1rem}
.models li+li{border-top:1px solid var(--line)}
.models b{font-weight:600;overflow-wrap:anywhere}
.models span{display:inline-flex;align-items:center;gap:.45rem;font-size:.9rem;color:var(--soft)}
.models i.dot{margin-left:.6rem}
ol{list-style:none;counter-reset:step;margin:0;padding:0;display:grid;gap:1.2rem}
ol>li{counter-increment:step;display:grid;grid-template-columns:1.9rem minmax(0,1fr);gap:0 .6rem}
ol>li::before{content:counter(step);width:1.6rem;height:1.6rem;border-radius:50%;border:1px solid var(--line);background:var(--card);display:grid;place-items:center;font-size:.85rem;color:var(--soft)}
ol>li>div{min-width:0}
.code{display:flex;align-items:flex-start;margin-top:.5rem;background:var(--code);border:1px solid var(--line);border-radius:10px}
pre{flex:1;min-width:0;margin:0;padding:.8rem 1rem;overflow-x:auto;font:13px/1.6 ui-monospace,"Cascadia Code","SF Mono",Menlo,Consolas,"DejaVu Sans Mono","Noto Sans Mono CJK SC",monospace;tab-size:2}
button{flex:none;margin:.45rem .45rem 0 0;font:inherit;font-size:.8rem;line-height:1;padding:.4rem .6rem;color:var(--soft);background:var(--card);border:1px solid var(--line);border-radius:7px;cursor:pointer}
button:hover{color:var(--ink);border-color:var(--soft)}
button[hidden]{display:none}
.tabs{display:flex;flex-wrap:wrap;gap:.3rem;margin-top:.5rem}
.tabs input{position:absolute;opacity:0;pointer-events:none}
.tabs label{padding:.2rem .7rem;border-radius:7px;font-size:.9rem;color:var(--soft);cursor:pointer}
.tabs label:hover{color:var(--ink)}
.tabs input:checked+label{background:var(--card);color:var(--ink);box-shadow:0 0 0 1px var(--line)}
.tabs input:focus-visible+label,a:focus-visible,button:focus-visible{outline:2px solid var(--accent);outline-offset:2px}
.tabs .code{display:none;flex:1 0 100%;min-width:0;order:1;margin-top:.2rem}
#t-curl:checked~#p-curl,#t-python:checked~#p-python,#t-js:checked~#p-js{display:flex}
@media(max-width:30rem){ol .code{margin-left:-2.5rem}}
dl{margin:0}
dl>div{padding:.7rem 1.1rem}
dl>div+div{border-top:1px solid var(--line)}
dt{font:13px/1.6 ui-monospace,"Cascadia Code","SF Mono",Menlo,Consolas,monospace;overflow-wrap:anywhere}
dd{margin:0;font-size:.9rem;color:var(--soft)}
footer{margin-top:2.8rem;padding-top:1.1rem;border-top:1px solid var(--line);font-size:.9rem;color:var(--soft);display:flex;flex-wrap:wrap;gap:.3rem 1.4rem}
`.trim();

/** Makes the copy buttons work; without it the page lacks nothing but them. */
export const PAGE_SCRIPT = `
for(const button of document.querySelectorAll('button[data-done]')){
if(!navigator.clipboard)continue;
button.hidden=false;
button.addEventListener('click',async()=>{
await navigator.clipboard.writeText(button.parentElement.querySelector('pre').textContent);
const label=button.textContent;
button.textContent=button.dataset.done;
setTimeout(()=>{button.textContent=label},1500);
});
}
`.trim();

/** A water wheel. */
export const PAGE_LOGO =
  '<svg width="22" height="22" viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="1.7" stroke-linecap="round" aria-hidden="true"><circle cx="12" cy="10.5" r="6.5"/><path d="M12 1.5v18M3 10.5h18M5.6 4.1l12.8 12.8M18.4 4.1 5.6 16.9M2 22c1.7 0 1.7-1 3.3-1s1.7 1 3.4 1 1.6-1 3.3-1 1.7 1 3.3 1 1.7-1 3.4-1 1.6 1 3.3 1"/></svg>';
