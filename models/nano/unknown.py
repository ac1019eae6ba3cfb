"""Questions that the model does not know, for data.py: as many shapes as can be made of a few lists, and of words that do not exist.

What it shall know is a short list; everything else is all the rest of the world. It learns the list and takes what is not on it for
unknown, if what is shown as unknown is never the same twice.
"""

ONLY_EN = "I only know Millrace, small sums, some capitals, simple words and short stories. For anything else, add a larger model."
ONLY_ZH = "我只知道 Millrace、小算术、一些首都、简单的词和小故事。其他问题请添加更大的模型。"
THINK_EN = "This is not among the few things I know."
THINK_ZH = "这不在我知道的几件事里面。"

NOUNS = """apple, banana, airplane, guitar, piano, violin, volcano, ocean, desert, elephant, tiger, penguin, whale, spider, butterfly, dinosaur, planet, galaxy, comet, telescope, microscope, gravity, electricity,
magnetism, chemistry, physics, biology, history, geography, philosophy, religion, politics, democracy, economy, inflation, stock market, bitcoin, blockchain, football, basketball, tennis, chess, poker, olympics, movie,
song, painting, sculpture, novel, poem, theatre, opera, recipe, pizza, noodles, coffee, chocolate, cheese, wine, vitamin, protein, diet, exercise, sleep, headache, vaccine, virus, cancer, heart, brain, kidney, blood,
law, contract, lawyer, court, police, war, peace, army, king, queen, president, parliament, election, tax, insurance, mortgage, salary, interview, resume, email, letter, meeting, project, deadline, strategy, marketing,
advertisement, customer, product, startup, invoice, spreadsheet, database, algorithm, compiler, python, javascript, rust, docker, kubernetes, linux, windows, browser, password, encryption, firewall, robot, drone, car, bicycle,
train, subway, airport, hotel, passport, visa, beach, island, museum, castle, bridge, tower, temple, church, garden, farm, tractor, wheat, corn, potato, tomato, weather, temperature, climate, earthquake, flood, storm,
rainbow, sunset, lightning, photosynthesis, evolution, genetics, quantum mechanics, relativity, calculus, algebra, geometry, statistics, probability, prime number, square root, triangle, circle, matrix, equation, kitchen, bathroom,
furniture, clothes, shoes, jewelry, birthday, wedding, holiday, school, university, exam, homework, essay, grammar, vocabulary, pronunciation, alphabet, dictionary, newspaper, television, radio, camera, phone, battery, laptop, keyboard""".replace("\n", " ").split(", ")
NOUNS_ZH = """苹果,香蕉,飞机,吉他,钢琴,小提琴,火山,海洋,沙漠,大象,老虎,企鹅,鲸鱼,蜘蛛,蝴蝶,恐龙,行星,银河,彗星,望远镜,显微镜,重力,电,磁场,化学,物理,生物,历史,地理,哲学,宗教,政治,民主,经济,通货膨胀,股票,比特币,区块链,足球,篮球,网球,象棋,扑克,奥运会,电影,歌曲,油画,雕塑,小说,诗歌,
话剧,京剧,菜谱,披萨,面条,咖啡,巧克力,奶酪,红酒,维生素,蛋白质,减肥,运动,睡眠,头痛,疫苗,病毒,癌症,心脏,大脑,肾,血液,法律,合同,律师,法院,警察,战争,和平,军队,国王,皇帝,总统,议会,选举,税,保险,房贷,工资,面试,简历,邮件,信,会议,项目,计划书,战略,营销,广告,客户,产品,创业,发票,表格,
数据库,算法,编译器,编程,前端,后端,操作系统,浏览器,密码,加密,防火墙,机器人,无人机,汽车,自行车,火车,地铁,机场,酒店,护照,签证,海滩,岛屿,博物馆,城堡,桥梁,塔,寺庙,教堂,花园,农场,拖拉机,小麦,玉米,土豆,西红柿,天气,温度,气候,地震,洪水,暴风雨,彩虹,日落,闪电,光合作用,进化论,遗传,
量子力学,相对论,微积分,代数,几何,统计,概率,质数,平方根,三角形,圆,矩阵,方程,厨房,浴室,家具,衣服,鞋子,首饰,生日,婚礼,假期,学校,大学,考试,作业,作文,语法,词汇,发音,字母,字典,报纸,电视,广播,相机,手机,电池,键盘,唐朝,宋朝,长城,故宫,李白,杜甫,孔子,春节,中秋节,红楼梦,西游记,太极拳,中医,茶道,书法""".replace("\n", "").split(",")
ADJECTIVES = "best, worst, biggest, smallest, oldest, newest, fastest, cheapest, most beautiful, most famous, most dangerous, tallest, deepest, richest, simplest, strangest".split(", ")
ADJECTIVES_ZH = "最好的,最大的,最小的,最老的,最快的,最便宜的,最漂亮的,最有名的,最危险的,最高的,最深的,最简单的".split(",")
VERBS = "make, build, fix, clean, buy, sell, learn, teach, draw, cook, grow, design, measure, understand, explain, repair, install, describe, compare, invent, discover, protect, paint, use".split(", ")
VERBS_ZH = "做,修,买,卖,学,教,画,种,设计,测量,理解,修理,安装,描述,比较,发明,保护,使用,选择,准备,分析,翻译,检查".split(",")
COUNTRIES = "Argentina, Chile, Colombia, Bolivia, Ecuador, Venezuela, Nigeria, Ghana, Ethiopia, Morocco, Algeria, Tunisia, Libya, Sudan, Uganda, Tanzania, Zambia, Angola, Mali, Chad, Iran, Iraq, Israel, Jordan, Syria, Nepal, Pakistan, Bangladesh, Mongolia, Laos, Cambodia, Malaysia, Indonesia, Philippines, Ukraine, Hungary, Romania, Bulgaria, Serbia, Croatia, Denmark, Belgium, Netherlands, Switzerland, Scotland, Wales, Texas, California, Mars, Europe, Africa, Asia, Atlantis, the moon, England, the United States, Qatar, Oman, Yemen, Malta, Latvia, Estonia, Georgia, Fiji".split(", ")
COUNTRIES_ZH = "阿根廷,智利,哥伦比亚,玻利维亚,委内瑞拉,尼日利亚,加纳,埃塞俄比亚,摩洛哥,阿尔及利亚,突尼斯,利比亚,苏丹,乌干达,坦桑尼亚,赞比亚,安哥拉,伊朗,伊拉克,以色列,约旦,叙利亚,尼泊尔,巴基斯坦,孟加拉国,蒙古,老挝,柬埔寨,马来西亚,印度尼西亚,菲律宾,乌克兰,匈牙利,罗马尼亚,保加利亚,丹麦,比利时,荷兰,瑞士,英国,美国,火星,欧洲,非洲,卡塔尔,四川,广东,浙江".split(",")
CITIES = "Paris, London, Beijing, Berlin, New York, Tokyo, Sydney, Shanghai, Boston, Madrid, Chengdu, Rome".split(", ")
CITIES_ZH = "北京,上海,广州,深圳,成都,杭州,巴黎,伦敦,东京,纽约,武汉,西安".split(",")
LANGUAGES = "French, German, Spanish, Japanese, Russian, Latin, Arabic, Korean, Italian".split(", ")
LANGUAGES_ZH = "法语,德语,西班牙语,日语,俄语,拉丁语,阿拉伯语,韩语".split(",")
OTHER = ["Bonjour, comment allez-vous ?", "Quelle est la capitale de la France ?", "Wie geht es dir?", "Was ist die Hauptstadt von Deutschland?", "Hola, ¿cómo estás?", "¿Qué es esto?", "こんにちは、お元気ですか。", "これは何ですか？", "Привет, как дела?", "Что это такое?",
         "Ciao, come stai?", "안녕하세요", "Olá, tudo bem?", "مرحبا", "Merhaba", "asdf", "???", "...", "!!!", "abc", "123", "hm", "lol", "ok", "yes", "no", "{}", "null", "SELECT * FROM users;", "def f(x): return x", "<html></html>", "print(1)", "rm -rf", "😀", "foo bar", "1", "42", "x = ?"]
FOLLOW = ["Why?", "Why is that?", "And then?", "Are you sure?", "Explain more.", "Tell me more.", "Continue.", "What do you mean?", "Give me an example.", "And what else?", "Say that again in other words.", "How do you know?", "I don't agree.", "What did I ask before?", "Summarize our conversation.", "Can you repeat that?", "Is that true?", "What was my first question?", "That is wrong.", "go on", "more"]
FOLLOW_ZH = ["为什么？", "然后呢？", "你确定吗？", "再详细一点。", "继续。", "什么意思？", "举个例子。", "还有呢？", "换一种说法。", "你怎么知道？", "我不同意。", "我刚才问了什么？", "总结一下我们的对话。", "再说一遍", "是真的吗？", "不对", "接着说", "更多", "我的第一个问题是什么？"]
SAYING = ["I like {n}.", "My name is {p}.", "I live in {c}.", "Yesterday I bought a {n}.", "I am hungry.", "I feel sad today.", "My {n} is broken.", "Let us talk about {n}.", "I have a question about {n}.", "You are stupid.", "I love you.", "This {n} is the {j} one.", "Please help me with my {n}.", "I want to {v} a {n}."]
SAYING_ZH = ["我喜欢{n}。", "我叫{p}。", "我住在{c}。", "昨天我买了{n}。", "我饿了。", "我今天很难过。", "我的{n}坏了。", "我们聊聊{n}吧。", "我想问一个关于{n}的问题。", "你真笨。", "我爱你。", "请帮我看看{n}。", "我想{v}{n}。"]
ASKING = ["What is {n}?", "What is a {n}?", "What is the {j} {n}?", "Who invented the {n}?", "How do I {v} a {n}?", "How can I {v} {n}?", "Why is {n} important?", "When was the {n} invented?", "Where can I buy a {n}?", "How much does a {n} cost?", "Explain {n}.", "Tell me about {n}.", "What are {n}?",
          "Write a poem about {n}.", "Write an essay about {n}.", "Write a {k} program to {v} {n}.", "Give me three ideas for a {n}.", "List five kinds of {n}.", "What is the difference between {n} and {m}?", "Which is better, {n} or {m}?", "What is the weather in {c}?", "What time is it in {c}?",
          "Who is {p}?", "Who is the president of {o}?", "What is the population of {o}?", "What language do they speak in {o}?", "What is the capital of {o}?", "capital of {o}", "Name the capital of {o}.", "What's the capital of {o}?", "Translate {n} into {l}.", "How do you say {n} in {l}?", "How do you say {n} in Chinese?", "Translate {n} into Chinese.",
          "What is {n} in Chinese?", "What is the opposite of {n}?", "opposite of {n}", "What does {w} mean?", "What is {w}?", "Explain {w}.", "Tell me about {w}.", "Do you know {w}?", "Where is {w}?", "Can you {v} a {n}?", "Do you like {n}?", "Recommend a {n}.", "What should I {v}?", "Tell me a joke.", "Tell me a joke about {n}.", "Sing a song.",
          "What is today's date?", "What is the news today?", "What year is it?", "Who won the {n}?", "How old is {p}?", "Describe the {j} {n} in {c}.", "Summarize the history of {n}.", "Is {n} good for {m}?", "How many {n} are there in {o}?", "Which {n} comes after {m}?", "What color is a {n}?", "Fix this: {w} {w}", "Return JSON with {n} and {m}.",
          "Write a function that sorts {n}.", "Plan a trip to {c}.", "Should I {v} my {n}?", "Give me advice about {n}.", "What is your favorite {n}?", "Compare {n} with {m}.", "Define {n}.", "How does {n} work?", "How does {w} work?", "What's {n}", "what is {w}", "{n}", "{w}", "{n} {m}", "{w} {w} {w}", "{p}", "{c}", "Can you explain {n}?", "I do not understand {n}.", "Please describe {n} briefly.", "What is the price of {n}?", "What is the meaning of life?", "Act as a {n} expert.", "Count {n}.", "Write a story about {n} and {m} in the style of {p}."]
ASKING_ZH = ["{n}是什么？", "什么是{n}？", "{j}{n}是什么？", "谁发明了{n}？", "怎么{v}{n}？", "如何{v}{n}", "为什么{n}很重要？", "{n}是什么时候发明的？", "哪里可以买到{n}？", "{n}多少钱？", "请解释{n}", "介绍一下{n}。", "写一首关于{n}的诗", "写一篇关于{n}的作文", "用 {k} 写一个{v}{n}的程序", "给我三个关于{n}的点子", "列出五种{n}",
             "{n}和{m}有什么区别？", "{n}和{m}哪个好？", "{c}天气怎么样？", "{c}现在几点？", "{p}是谁？", "{o}的总统是谁？", "{o}有多少人口？", "{o}的首都是哪里？", "{o}的首都是什么？", "{o}首都", "把{n}翻译成{l}", "“{n}”用{l}怎么说？", "“{n}”用英文怎么说？", "把“{n}”翻译成英文", "{n}的英文是什么？", "“{n}”的反义词是什么？", "{w} 是什么意思？", "{w} 是什么？",
             "你知道{n}吗？", "{w}在哪里？", "你会{v}{n}吗？", "你喜欢{n}吗？", "推荐一个{n}", "讲个笑话", "讲一个关于{n}的笑话", "唱首歌", "今天几号？", "今天有什么新闻？", "今年是哪一年？", "今天星期几？", "谁赢了{n}？", "{p}多大了？", "描述一下{c}{j}{n}", "总结{n}的历史", "{n}对{m}好吗？", "{o}有多少{n}？", "{n}是什么颜色？", "帮我改一下：{n}{m}", "用 JSON 返回{n}和{m}",
             "写一个给{n}排序的函数", "帮我安排去{c}的旅行", "我应该{v}{n}吗？", "给我一些关于{n}的建议", "你最喜欢的{n}是什么？", "比较{n}和{m}", "定义{n}", "{n}是怎么工作的？", "{n}", "{w}", "{n}{m}", "{p}", "{c}", "{n}怎么理解？", "我不懂{n}。", "简单说说{n}。", "{n}是什么意思", "{n}的价格是多少？", "人生的意义是什么？", "请扮演一位{n}专家", "从{n}到{m}要多久？", "写一个{p}风格的{n}故事"]
BEGIN = ["a", "e", "i", "o", "u", "ba", "ke", "lo", "mi", "nu", "po", "ra", "se", "ti", "vo", "wa", "xe", "yo", "za", "gri", "bro", "sta", "tre", "plo", "cha", "shi", "tho", "qui", "fle", "dru"]
END = ["n", "r", "s", "t", "l", "m", "x", "ck", "nd", "rt", "a", "o", "ia", "um", "is", "er", "ton", "ville", "ski", "sen", "ing", ""]
SURNAMES_ZH = "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗梁宋郑谢韩唐冯于董萧程曹袁邓许傅沈曾彭吕苏卢蒋蔡贾丁魏薛叶阎余潘杜戴夏"
GIVEN_ZH = "伟芳娜敏静丽强磊军洋勇艳杰娟涛明超霞平刚桂英华玉萍红玲芬飞建国文波辉宇欣怡浩然子轩梓涵雪晴云龙天翔"
CODE = ["Python", "Rust", "Go", "Java", "C", "JavaScript", "SQL"]


def invented(rng):
    """A word that there is not."""
    made = "".join(rng.choice(BEGIN) for _ in range(rng.randint(1, 3))) + rng.choice(END)
    return made.capitalize() if rng.random() < 0.5 else made


def person(rng, zh):
    if zh and rng.random() < 0.8:
        return rng.choice(SURNAMES_ZH) + "".join(rng.choice(GIVEN_ZH) for _ in range(rng.randint(1, 2)))
    return f"{invented(rng).capitalize()} {invented(rng).capitalize()}"


def fill(rng, template, zh):
    noun = lambda: rng.choice(NOUNS_ZH if zh else NOUNS) if rng.random() < 0.75 else invented(rng)
    place = rng.choice(COUNTRIES_ZH if zh else COUNTRIES) if rng.random() < 0.7 else invented(rng).capitalize()
    out = template
    for mark, value in (("{n}", noun), ("{m}", noun), ("{w}", lambda: invented(rng)), ("{j}", lambda: rng.choice(ADJECTIVES_ZH if zh else ADJECTIVES)),
                        ("{v}", lambda: rng.choice(VERBS_ZH if zh else VERBS)), ("{c}", lambda: rng.choice(CITIES_ZH if zh else CITIES)), ("{o}", lambda: place),
                        ("{l}", lambda: rng.choice(LANGUAGES_ZH if zh else LANGUAGES)), ("{p}", lambda: person(rng, zh)), ("{k}", lambda: rng.choice(CODE))):
        while mark in out:
            out = out.replace(mark, value(), 1)
    return out


def beyond(rng, zh):
    """Arithmetic that looks like what it knows and is not."""
    a, b, c = rng.randint(100, 99999), rng.randint(2, 99999), rng.randint(2, 99)
    s, t = rng.randint(13, 99), rng.randint(13, 99)
    sum_ = rng.choice([f"{a} + {b}", f"{b} + {a}", f"{a} - {c}", f"{s} * {t}", f"{a} * {c}", f"{s} / {c}", f"{a} / {c}", f"{s} + {t} + {c}", f"{s} * {c} - {t}", f"({s} + {t}) * {c}", f"{s}.5 + {t}.25", f"{s} ^ 2", f"sqrt({a})", f"{a} x {b}", f"{s} % {c}", f"-{s} + {t} * {c}", f"{s} - {t} + {c}"])
    if rng.random() < 0.2:
        sum_ = sum_.replace(" ", "")
    if zh:
        return rng.choice(["{}等于多少？", "{} = ?", "计算 {}", "{}是多少", "{}"]).format(sum_.replace("*", rng.choice(["*", "乘以", "×"])).replace("/", rng.choice(["/", "除以"])))
    return rng.choice(["What is {}?", "{} = ?", "Calculate {}.", "How much is {}?", "{}", "Solve {}"]).format(sum_.replace("*", rng.choice(["*", "times", "x"])).replace("/", rng.choice(["/", "divided by"])))


def passage(rng, zh):
    """Sentences without sense, as long as a person may paste."""
    count = rng.randint(2, 9)
    parts = [fill(rng, rng.choice((SAYING_ZH if zh else SAYING) + (ASKING_ZH if zh else ASKING)), zh) for _ in range(count)]
    task = rng.choice(["总结下面的文字：", "翻译：", "改写：", "", "请阅读并回答：", "这段话是什么意思？"] if zh else ["Summarize: ", "Translate this: ", "Rewrite the following text:\n", "", "Read this and answer: ", "Correct the grammar: ", "What is wrong here? "])
    return task + ("" if zh else " ").join(parts)


def unknown(rng, zh):
    """(question, reasoning, answer)"""
    kind = rng.choices(["ask", "say", "follow", "beyond", "passage", "other", "noise"], [56, 9, 9, 12, 6, 5, 3])[0]
    if kind == "ask":
        question = fill(rng, rng.choice(ASKING_ZH if zh else ASKING), zh)
    elif kind == "say":
        question = fill(rng, rng.choice(SAYING_ZH if zh else SAYING), zh)
    elif kind == "follow":
        question = rng.choice(FOLLOW_ZH if zh else FOLLOW)
    elif kind == "beyond":
        question = beyond(rng, zh)
    elif kind == "passage":
        question = passage(rng, zh)
    elif kind == "other":
        question, zh = rng.choice(OTHER), False
    else:
        pool = "".join(NOUNS_ZH) if zh else "abcdefghijklmnopqrstuvwxyz     .,!?0123456789"
        question = "".join(rng.choice(pool) for _ in range(rng.randint(2, 40))).strip() or "?"
    changed = rng.random()
    if changed < 0.1:
        question = question.lower()
    elif changed < 0.2:
        question = question.rstrip("?.？。")
    return question, (THINK_ZH if zh else THINK_EN), (ONLY_ZH if zh else ONLY_EN)
