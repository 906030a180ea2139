"""How a report looks: light, on screen and on paper. Colours differ in lightness too, and no colour speaks alone."""

GOOD = "#1f5fa8"
DEFECT = "#b3420c"
LIMIT = "#111111"
OTHER = "#3f7d3a"
SOFT = "#5b6672"
GRID = "#dfe4ea"

STYLE = """
*,*::before,*::after{box-sizing:border-box}
html{-webkit-text-size-adjust:100%}
body{margin:0;background:#eef1f4;color:#1a2027;font:16px/1.5 system-ui,"Segoe UI",Roboto,"Noto Sans","Noto Sans CJK SC",
"Microsoft YaHei","PingFang SC",sans-serif;font-variant-numeric:tabular-nums;text-align:right}
main{max-width:1180px;margin:8px auto 40px;padding:0 20px;text-align:left}
.zh{display:none}
#zh:target~main .zh,#pick-zh:checked~main .zh{display:inline}
#zh:target~main .en,#pick-zh:checked~main .en{display:none}
#pick-en:checked~main .en{display:inline!important}
#pick-en:checked~main .zh{display:none!important}
.pick{position:absolute;opacity:0;width:1px;height:1px}
label{display:inline-block;margin:12px 4px 0 0;padding:5px 16px;border:2px solid #5b6672;border-radius:6px;
background:#fff;cursor:pointer;font-weight:600;text-align:center}
label:last-of-type{margin-right:max(20px,calc(50vw - 570px))}
.pick:checked+label,body:not(:has(.pick:checked)):has(#zh:target) [for=pick-zh],
body:not(:has(.pick:checked)):not(:has(#zh:target)) [for=pick-en]{background:#1a2027;border-color:#1a2027;color:#fff}
.pick:focus-visible+label{outline:3px solid #1f5fa8;outline-offset:2px}
header{margin:0 0 20px}
h1{font-size:30px;line-height:1.2;margin:0 0 4px}
header p{margin:0;color:#4a5560;overflow-wrap:anywhere}
section{background:#fff;border:1px solid #d5dbe1;border-radius:8px;padding:18px 22px 20px;margin:0 0 18px}
h2{font-size:21px;line-height:1.3;margin:0 0 6px}
p{margin:0 0 10px;max-width:85ch}
.lead{color:#3b454f}
.note{color:#3b454f;font-size:15px;margin:10px 0 0}
.warning{border-left:5px solid #b3420c;background:#fdf1ea;padding:8px 12px;margin:10px 0 0;max-width:none}
.facts{display:grid;grid-template-columns:repeat(auto-fit,minmax(200px,1fr));gap:12px;margin:10px 0 0}
.fact{border:1px solid #d5dbe1;border-top:5px solid #5b6672;border-radius:6px;padding:10px 14px;background:#fbfcfd}
.fact.good{border-top-color:#1f5fa8}
.fact.bad{border-top-color:#b3420c}
dt{font-weight:600}
dd{margin:0}
.value{font-size:29px;font-weight:700;line-height:1.25}
.meaning{font-size:14px;line-height:1.4;color:#3b454f}
.wide{overflow-x:auto;margin:12px 0 0}
table{border-collapse:collapse;width:100%;font-size:15px}
caption{text-align:left;font-weight:600;padding:0 0 6px}
th,td{padding:6px 12px 6px 0;border-bottom:1px solid #dfe4ea;text-align:left;vertical-align:top;overflow-wrap:anywhere}
thead th{border-bottom:2px solid #5b6672;vertical-align:bottom}
tbody th{font-weight:600}
.number{text-align:right}
td.number{white-space:nowrap}
.figures{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,430px),1fr));gap:20px;margin:12px 0 0}
figure{margin:0;min-width:0;max-width:640px}
figcaption{font-size:15px;color:#3b454f;margin:4px 0 0}
svg{display:block;width:100%;height:auto;font-family:inherit}
.pictures{display:grid;grid-template-columns:repeat(auto-fill,minmax(200px,1fr));gap:16px;margin:12px 0 0;padding:0}
.pairs{grid-template-columns:repeat(auto-fill,minmax(330px,1fr))}
.pictures.pairs img{height:250px}
.pictures figure{border:1px solid #d5dbe1;border-radius:6px;overflow:hidden;background:#fbfcfd}
.pictures img{display:block;width:100%;height:200px;object-fit:contain;background:#22272d}
.pictures figcaption{padding:6px 10px 8px;margin:0;font-size:14px;line-height:1.4;overflow-wrap:anywhere}
.pictures b{display:block;color:#1a2027}
@media print{
body{background:#fff;font-size:12px}
main{max-width:none;margin:0;padding:0}
label,.pick{display:none}
table,figcaption,.meaning,.note,.pictures figcaption{font-size:11px}
th,td{padding:3px 8px 3px 0}
h1{font-size:22px}
h2{font-size:16px}
.value{font-size:22px}
section{border:0;border-top:1px solid #999;border-radius:0;padding:10px 0}
figure,.fact,tr,.pictures figure{break-inside:avoid}
h2,caption{break-after:avoid}
.facts{grid-template-columns:repeat(3,1fr)}
.figures{grid-template-columns:repeat(2,1fr)}
.pictures{grid-template-columns:repeat(4,1fr)}
.pictures img,.pictures.pairs img{height:130px}
*{print-color-adjust:exact;-webkit-print-color-adjust:exact}
}
"""
