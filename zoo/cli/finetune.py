"""python -m zoo finetune NET: put a new head on a trained network and train it on pictures of your own."""

import argparse
import json
import shlex
import sys
from dataclasses import replace

from zoo import registry
from zoo.cli import asked, attended, common
from zoo.errors import UserError
from zoo.training import plan as plans, recipe as recipes, recipes as table, transfer as transfers
from zoo.utils.io import expanded
from zoo.utils.validation import parsed


def parser():
    kinds = "\n".join(f"  {name:16} {plan.why}" for name, plan in transfers.PLANS.items())
    made = common.Parser(prog="python -m zoo finetune", usage="%(prog)s NET --data FOLDER [OPTION ...]",
                         formatter_class=argparse.RawDescriptionHelpFormatter,
                         description="Put a new head on a trained network and train it, into a run directory.\nThe same "
                                  "command with the same --name goes on with a run that was ended.",
                         epilog=f"plans, by how many pictures there are and how like those of the weights:\n{kinds}\n"
                             f"networks: {', '.join(registry.SPECS)}")
    made.add_argument("network", metavar="NET", help="the network's name, see below")
    common.add_pictures(made)
    made.add_argument("--weights", metavar="imagenet|cifar10|mnist|none|RUN|FILE", default="imagenet",
                      help="what the body starts with; a file: see docs/weights.md; default: imagenet")
    made.add_argument("--plan", metavar="PLAN", help=f"one of {', '.join(transfers.PLANS)}; see below")
    made.add_argument("--freeze", metavar="all|none|LAYER|N", help="what of the body stays as it is: up to a layer, or "
                      "its first N (model.layers of zoo.build(NET, include_top=False)); default: all, without weights "
                      "none")
    made.add_argument("--head", metavar="LAYERS", default="", help="hidden layers before the classifier, such as "
                                                                   "1024,dropout0.5; default: none")
    made.add_argument("--pooling", metavar="|".join(transfers.POOLINGS), default="avg",
                      help="before the head; default: avg")
    made.add_argument("--features", metavar="LAYER", default="",
                      help="the layer that the head reads; default: the last")
    made.add_argument("--stages", action="store_true", help="first the head alone, then what --freeze leaves free")
    made.add_argument("--head-epochs", metavar="N", help="with stages: of the head alone; default: half as many")
    made.add_argument("--body-lr", metavar="X", help="the rate while layers of a trained body learn; default: a tenth")
    made.add_argument("--seed", metavar="N", default="0", help="of the head and of the order of the pictures")
    made.add_argument("--limit", metavar="N", help="at most N pictures for each of training, validation and test")
    common.add_form(made)
    common.add_gpu(made)
    made.add_argument("--output-dir", metavar="DIR", default="runs", help="where the run directory goes; default: runs")
    made.add_argument("--name", metavar="NAME", help="of the run directory; default: network, data set, date and time")
    asked.add_recipe(made, {"epochs": "passes over the training images; default: 10",
                            "learning_rate": "the head's learning rate; default: 0.01, without weights 0.001",
                            "batch_size": "images a step; default: 32"}, without=("sides", "dropout"))
    return made


def recipe_of(arguments):
    """Return the recipe of the head: the data set's augmentation, and what the command line changes."""
    augment = table.AUGMENT.get(arguments.dataset, "") if arguments.data is None else ""
    base = transfers.FROM_NOTHING if arguments.weights == "none" else transfers.BASE
    return asked.changed(replace(base, augment=augment), arguments)


def checked(arguments):
    """Refuse what can be refused before anything is read; return (recipe, Plan or None)."""
    registry.find(arguments.network)
    if arguments.pooling not in transfers.POOLINGS:
        raise UserError(f"--pooling is one of {', '.join(transfers.POOLINGS)}; given {arguments.pooling!r}")
    transfers.head_of(arguments.head)
    plan = transfers.plan_of(arguments.plan) if arguments.plan is not None else None
    if plan and (arguments.freeze is not None or arguments.features or arguments.stages):
        raise UserError("--plan says what is frozen, what the head reads and in which stages; leave out --freeze, "
                        "--features and --stages, or --plan")
    if plan and arguments.weights == "none":
        raise UserError("--plan is for trained bodies; with --weights none nothing is worth freezing")
    if arguments.head_epochs is not None and not (plan.stages if plan else arguments.stages):
        raise UserError("--head-epochs is of the first of two stages; give --stages, or --epochs alone")
    return recipe_of(arguments), plan


def rates(arguments, recipe, frozen_whole):
    """Return the recipe of the last stage: slower where layers of a trained body learn."""
    if frozen_whole or arguments.weights == "none":
        return recipe
    rate = recipe.learning_rate * transfers.SLOWER
    if arguments.body_lr is not None:
        rate = parsed("--body-lr", arguments.body_lr, 1.0)
    return recipes.overridden(recipe, {"learning_rate": rate})


def command(argv):
    arguments = parser().parse_args(argv)
    recipe, named_plan = checked(arguments)
    seed = common.whole_number("--seed", arguments.seed, 0, 2**32 - 1)
    limit = None if arguments.limit is None else common.whole_number("--limit", arguments.limit, 1)
    form = common.form_of(arguments)
    size = common.checked_pictures(arguments)

    from zoo.training import origins, run_directory  # NumPy, no backend

    origin = origins.find(arguments.network, arguments.weights, *form)
    run_directory.check_output_dir(arguments.output_dir, None)
    backend, chosen = common.choose_device(arguments.gpu, arguments.backend)
    dataset = common.pictures_of(arguments, limit, origin.folder_shape(registry.find(arguments.network), size))
    facts = dataset.facts
    blueprint, factor, scaling = origins.seen(arguments.network, facts.shape, origin, facts.classes)
    scaling = origins.scaling_for(scaling, facts, blueprint.input_shape[2])
    transfer = transfers.Transfer(origin.said, arguments.head, arguments.pooling, arguments.features, "", factor,
                                  scaling.scale, scaling.offset, scaling.order)
    where = common.load(backend, chosen)
    origin = origin.here()

    import keras

    from zoo.training import transferred

    keras.utils.set_random_seed(seed)
    _, body = transferred.network(blueprint, transfer, facts.shape, facts.classes, None)
    transfer, stages = decided(arguments, named_plan, transfer, body)
    plan = plans.Plan(blueprint, facts, rates(arguments, recipe, transfer.freeze == body.layers[-1].name), seed, limit,
                      backend, False)
    words = shlex.join(["python", "-m", "zoo", "finetune", *(sys.argv[1:] if argv is None else argv)])
    run = begun(arguments, plan, transfer)
    lock = run_directory.lock_run
    if run is None:
        lock = run_directory.lock_new_run
        origin.fill(body, blueprint)  # refuses what does not fit, before there is a run
        run = run_directory.create_run(arguments.output_dir, arguments.name, plan.blueprint.spec.name, facts.name)
    elif attended.is_over(run, plan.recipe.epochs):
        return 0
    with lock(run):
        rows = [(run, plan, transfer)]
        if stages:
            epochs = max(1, recipe.epochs // 2)
            if arguments.head_epochs is not None:
                epochs = common.whole_number("--head-epochs", arguments.head_epochs, 1)
            first, head_recipe = transfers.first_stage(transfer, recipe, body.layers[-1].name, epochs)
            rows.insert(0, (run / run_directory.HEAD, replace(plan, recipe=head_recipe), first))
        if named_plan:
            print(f"{'plan':8} {arguments.plan}: {named_plan.why}")
        return trained(rows, origin, dataset, where, words, arguments.class_names if arguments.data else None)


def decided(arguments, plan, transfer, body):
    """Return (Transfer with what is frozen and what the head reads, whether there are stages)."""
    from zoo.training import transferred

    if plan:
        features = "" if plan.features == 1 else transferred.at_share(body, plan.features)
        freeze = transferred.last_frozen(body, "all" if plan.freeze == 1 else round(plan.freeze * len(body.layers)))
        return replace(transfer, features=features, freeze=freeze), plan.stages
    end = arguments.freeze or ("none" if arguments.weights == "none" else "all")
    freeze = transferred.last_frozen(body, int(end) if end.isdecimal() else end)
    if arguments.stages and freeze == body.layers[-1].name:
        raise UserError("--stages needs a part of the body that learns; give --freeze none, a layer or a number")
    return replace(transfer, freeze=freeze), arguments.stages


def begun(arguments, plan, transfer):
    """Return the run directory that goes on, None for a new one; UserError where it was begun in another way."""
    from zoo.training import run_directory, run_files

    if arguments.name is None:
        return None
    run = expanded(arguments.output_dir) / arguments.name
    if not (run / "run.json").exists():
        run_directory.check_output_dir(arguments.output_dir, arguments.name)
        return None
    before, now = run_files.read_config(run), plans.flat(plan) | transfers.as_dict(transfer)
    told = before.get("dataset", {})
    old = {**before, **before.get("blueprint", {}), **before.get("recipe", {}), **before.get("transfer", {}),
           "dataset": told.get("name"), "labels": told.get("classes")}
    if arguments.data is not None:  # files may have come and gone
        for split in ("train", "validation", "test"):
            old[f"{split} pictures"], now[f"{split} pictures"] = told.get(split), getattr(plan.dataset, split)
    plans.refuse(run, plans.differences(old, json.loads(json.dumps(now))))
    return run


def trained(stages, origin, dataset, where, words, named):
    """Train the stages, rows (run directory, Plan, Transfer), one after the other, and test the last.

    Return the exit status.
    """
    from zoo.training.leaving import Leave

    leave = Leave()
    for number, (run, plan, transfer) in enumerate(stages, start=1):
        network, body, said = made(plan, transfer, origin, stages[number - 2][0] if number > 1 else None)
        if number == 1:
            said = [*begin(network, stages, dataset, where, words, named), *said]
        print("\n".join([*said, stage_line(number, len(stages), network, body, transfer, plan.recipe)]), flush=True)
        status = carry_out(network, plan, dataset, run, leave, stages[-1][0])
        if status or run == stages[-1][0]:
            return status


def made(plan, transfer, origin, before):
    """Return (network, its body, lines that say where its weights come from); `before`: the run of the stage before."""
    import keras

    from zoo.training import initialization, saved, transferred

    keras.utils.set_random_seed(plan.seed)
    network, body = transferred.network(plan.blueprint, transfer, plan.dataset.shape, plan.dataset.classes, None)
    lines = []
    if before is None:
        initialization.draw_weights(network, plan.recipe, plan.seed)
        lines = origin.fill(body, plan.blueprint)
    else:
        saved.restore_weights(network, before / "checkpoints" / "best.npz")
    transferred.freeze(body, transfer.freeze)
    return network, body, lines


def begin(network, stages, dataset, where, words, named):
    """Write the run.json of each stage that has none yet, and return the lines of the header.

    named: how a folder's classes are named; None for a data set of the catalogue.
    """
    from zoo.training import header, run_files

    parameters = network.count_params()
    for run, plan, transfer in stages:
        (run / "checkpoints").mkdir(parents=True, exist_ok=True)
        if not (run / "run.json").exists():
            facts = header.facts(plan, dataset, parameters, where, words)
            facts["dataset"] |= {"named": named} if named else {}
            run_files.write_config(run, {**facts, "transfer": transfers.as_dict(transfer)})
    lines = header.lines(plan, dataset, parameters, where, run)
    if transfer.enlarge > 1:
        shape = "x".join(map(str, plan.dataset.shape))
        lines.append(f"{'note':8} pictures of {shape} are enlarged {transfer.enlarge} times")
    return [line for line in lines
            if not line.startswith("recipe") and not (transfer.weights and "initializer" in line)]


def stage_line(number, count, network, body, transfer, recipe):
    """Return the line that says what of the network learns in a stage, and how fast."""
    import math

    learn = sum(math.prod(variable.shape) for variable in network.trainable_variables)
    names = [layer.name for layer in body.layers]
    frozen = names.index(transfer.freeze) + 1 if transfer.freeze else 0
    what = "nothing is frozen" if not frozen else (
        f"the body is frozen, {frozen} layers" if frozen == len(names) else
        f"frozen up to {transfer.freeze}, {frozen} of the body's {len(names)} layers")
    reads = f"; the head reads {transfer.features}" if transfer.features else ""
    whole = network.count_params()
    return (f"{'stage':8} {number} of {count}: {what}{reads}; {learn:,} of {whole:,} parameters learn\n"
            f"{'recipe':8} {recipes.described(recipe)}")


def carry_out(network, plan, dataset, run, leave, whole):
    """Train one stage, in `run`, and after the last, which is `whole`, test and draw; return the exit status."""
    from zoo.reports.run_outputs import draw_run  # matplotlib
    from zoo.training import fit

    def work():
        progress = fit.train(network, dataset, plan.recipe, plan.seed, run, leave)
        if leave.reason or run != whole:
            return progress, None
        result = fit.test(network, dataset, plan.recipe, run, progress)
        draw_run(run)
        return progress, result

    again = f"the same command with --name {whole.name} goes on"
    return attended.to_the_end(work, run, plan.recipe, leave, again)


def main(argv=None):
    return common.run(command, argv)


if __name__ == "__main__":
    sys.exit(main())
