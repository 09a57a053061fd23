"""Dashboards as Grafana's JSON, by its own foundation SDK."""

from typing import Any

from grafana_foundation_sdk.builders import bargauge, common, dashboard, prometheus, stat, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import common as looks
from grafana_foundation_sdk.models import dashboard as model
from scripts.dashboards.panels import Dashboard, Kind, Panel, Place, Query

TAG = "shuanglu"
RUNBOOKS = "deploy/helm/runbooks"
REFRESH = "30s"
SOURCE = model.DataSourceRef(type_val="prometheus", uid="${datasource}")


def as_json(page: Dashboard) -> str:
    """What Grafana imports, and the chart's ConfigMap holds."""
    encoder = JSONEncoder(sort_keys=True, indent=1, ensure_ascii=False)
    return str(encoder.encode(builder_of(page).build())) + "\n"


def builder_of(page: Dashboard) -> dashboard.Dashboard:
    """The whole page."""
    made = (
        dashboard.Dashboard(page.title)
        .uid(page.uid)
        .description(page.description)
        .tags([TAG])
        .refresh(REFRESH)
        .time("now-1h", "now")
        .timezone("browser")
        .tooltip(model.DashboardCursorSync.CROSSHAIR)
        .readonly()
        .link(to_the_others())
    )
    for variable in variables():
        made = made.with_variable(variable)
    number = 1
    for line, row, placed in page.placed():
        made = made.with_row(dashboard.Row(row.title).grid_pos(model.GridPos(h=1, w=24, x=0, y=line)).id(number))
        for panel, place in placed:
            number += 1
            made = made.with_panel(panel_of(panel, place).id(number))
        number += 1
    return made


def variables() -> list[Any]:
    """Data source, namespace, tenant; where the runbooks are."""
    namespaces = "label_values(shuanglu_build_info, namespace)"
    tenants = 'label_values(shuanglu_signaling_session_states{namespace=~"$namespace"}, tenant)'
    return [
        dashboard.DatasourceVariable("datasource").label("Data source").type("prometheus"),
        chooser("namespace", "Namespace", "Which installation.", namespaces),
        chooser("tenant", "Tenant", "Of sessions, verdicts and reports; other panels show all tenants.", tenants),
        dashboard.ConstantVariable("runbooks").label("Runbooks").value(RUNBOOKS),
    ]


def chooser(name: str, label: str, description: str, query: str) -> dashboard.QueryVariable:
    """A label's values; all of them at first."""
    return (
        dashboard.QueryVariable(name)
        .label(label)
        .description(description)
        .datasource(SOURCE)
        .query({"query": query, "refId": name})
        .refresh(model.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(model.VariableSort.ALPHABETICAL_ASC)
        .multi(multi=True)
        .include_all(include_all=True)
        .all_value(".*")
        .current(model.VariableOption(selected=True, text="All", value="$__all"))
    )


def to_the_others() -> dashboard.DashboardLink:
    """A list of our dashboards, which keeps time and variables."""
    return (
        dashboard.DashboardLink("shuanglu")
        .type(model.DashboardLinkType.DASHBOARDS)
        .tags([TAG])
        .as_dropdown(as_dropdown=False)
        .include_vars(include_vars=True)
        .keep_time(keep_time=True)
    )


def panel_of(panel: Panel, place: Place) -> Any:
    """One panel."""
    shaped: Any = _shapes[panel.kind](panel)
    made: Any = (
        shaped.title(panel.title)
        .description(panel.description)
        .unit(panel.unit)
        .datasource(SOURCE)
        .no_value(panel.none)
        .grid_pos(model.GridPos(h=place.height, w=place.width, x=place.x, y=place.y))
        .thresholds(thresholds(panel))
    )
    if panel.decimals is not None:
        made = made.decimals(panel.decimals)
    if panel.most is not None:
        made = made.max(panel.most)
    if panel.words:
        made = made.mappings([words(panel)])
    if panel.runbook:
        link = (
            dashboard.DashboardLink("What to do")
            .url(f"${{runbooks}}/{panel.runbook}.md")
            .target_blank(target_blank=True)
        )
        made = made.links([link])
    for number, query in enumerate(panel.queries):
        made = made.with_target(target(query, chr(ord("A") + number), over_time=panel.kind is not Kind.BARS))
    return made


def number_panel(_: Panel) -> stat.Panel:
    """One number on its colour."""
    return (
        stat.Panel()
        .graph_mode(looks.BigValueGraphMode.AREA)
        .color_mode(looks.BigValueColorMode.VALUE)
        .text_mode(looks.BigValueTextMode.VALUE)
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
    )


def lines_panel(panel: Panel) -> timeseries.Panel:
    """Lines, or areas that add up."""
    legend = common.VizLegendOptions().show_legend(show_legend=True).placement(looks.LegendPlacement.BOTTOM)
    made = (
        timeseries.Panel()
        .legend(legend.display_mode(looks.LegendDisplayMode.LIST))
        .tooltip(common.VizTooltipOptions().mode(looks.TooltipDisplayMode.MULTI))
        .fill_opacity(35 if panel.stacked else 8)
        .line_width(1.5)
        .show_points(looks.VisibilityMode.NEVER)
        .min(0)
        .color_scheme(dashboard.FieldColor().mode(model.FieldColorModeId.PALETTE_CLASSIC))
    )
    if panel.stacked:
        made = made.stacking(common.StackingConfig().mode(looks.StackingMode.NORMAL))
    if panel.steps:
        made = made.thresholds_style(common.GraphThresholdsStyleConfig().mode(looks.GraphThresholdsStyleMode.DASHED))
    return made


def bars_panel(_: Panel) -> bargauge.Panel:
    """Bars side by side, each with its number."""
    return (
        bargauge.Panel()
        .orientation(looks.VizOrientation.HORIZONTAL)
        .display_mode(looks.BarGaugeDisplayMode.BASIC)
        .min(0)
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
    )


_shapes = {Kind.NUMBER: number_panel, Kind.LINES: lines_panel, Kind.BARS: bars_panel}


def target(query: Query, letter: str, *, over_time: bool) -> prometheus.Dataquery:
    """One query; bars need only the present."""
    made = prometheus.Dataquery().expr(query.promql).ref_id(letter).legend_format(query.legend or "__auto")
    return made.range() if over_time else made.instant()


def thresholds(panel: Panel) -> dashboard.ThresholdsConfig:
    """Moods by number; the first one begins at minus infinity."""
    steps = [model.Threshold(color=panel.start.value, value=None)]
    steps += [model.Threshold(color=mood.value, value=value) for value, mood in panel.steps]
    return dashboard.ThresholdsConfig().mode(model.ThresholdsMode.ABSOLUTE).steps(steps)


def words(panel: Panel) -> model.ValueMap:
    """Words instead of numbers: colour alone says nothing to many."""
    results = {value: model.ValueMappingResult(text=text) for value, text in panel.words.items()}
    return model.ValueMap(options=results)
